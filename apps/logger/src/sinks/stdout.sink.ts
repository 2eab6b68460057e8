import { escapeUnseen, type JsonObject, type Level } from '@mercury/messaging';
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

  async write(level: Level, data: JsonObject): Promise<void> {
    const line = `${new Date().toISOString()} ${level.padEnd(8)} ${escapeUnseen(JSON.stringify(data))}\n`;
    if (!this.stream.write(line) && this.problem === undefined) await this.untilDrained();
  }

  /** Also when it fails meanwhile: then nothing drains any more. */
  private async untilDrained(): Promise<void> {
    const { stream } = this;
    await new Promise<void>((resolve) => {
      const finish = () => {
        for (const event of ['drain', 'error', 'close']) stream.off(event, finish);
        resolve();
      };
      for (const event of ['drain', 'error', 'close']) stream.on(event, finish);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.stream.write('', () => resolve()));
  }
}
