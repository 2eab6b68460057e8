import type { JsonObject, Level } from '@mercury/messaging';
import type { Sink } from './sink';

/** One line per event, for people. */
export class StdoutSink implements Sink {
  readonly name = 'stdout';
  problem: string | undefined;

  constructor(
    readonly levels: readonly Level[],
    private readonly stream: NodeJS.WritableStream = process.stdout,
  ) {
    // Whoever read it has gone (`| head`): the other sinks go on.
    stream.on('error', (error: Error) => (this.problem = `Events cannot be printed: ${error.message}`));
  }

  write(level: Level, data: JsonObject): void {
    this.stream.write(`${new Date().toISOString()} ${level.padEnd(8)} ${withoutControls(JSON.stringify(data))}\n`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.stream.write('', () => resolve()));
  }
}

/** JSON escapes line ends, but lets some characters through that move a terminal's cursor, read as line ends or turn the direction of the text. */
function withoutControls(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
