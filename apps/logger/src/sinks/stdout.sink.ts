import type { JsonObject, Level } from '@mercury/messaging';
import type { Sink } from './sink';

/** One line per event, for people. */
export class StdoutSink implements Sink {
  readonly name = 'stdout';
  readonly problem = undefined;

  constructor(
    readonly levels: readonly Level[],
    private readonly stream: NodeJS.WritableStream = process.stdout,
  ) {}

  write(level: Level, data: JsonObject): void {
    this.stream.write(`${new Date().toISOString()} ${level.padEnd(8)} ${withoutControls(JSON.stringify(data))}\n`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.stream.write('', () => resolve()));
  }
}

/** JSON escapes line ends, but lets some characters through that move a terminal's cursor or read as line ends. */
function withoutControls(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
