import { escapeUnseen, type JsonObject, type Level } from '@mercury/messaging';
import { CLOSE_TIMEOUT_MS, STUCK_MS, soon, type Sink } from './sink';

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
    const stuck = setTimeout(() => (this.problem ??= 'Events cannot be printed: nobody reads them'), STUCK_MS).unref();
    const event = await new Promise<string>((resolve) => {
      const finishes = ['drain', 'error', 'close'].map((name) => [name, () => finish(name)] as const);
      const finish = (name: string) => {
        for (const [each, listener] of finishes) stream.off(each, listener);
        resolve(name);
      };
      for (const [each, listener] of finishes) stream.on(each, listener);
    });
    clearTimeout(stuck);
    if (event === 'drain') this.problem = undefined;
  }

  /** Waits up to 3 s for who reads it. */
  close(): Promise<void> {
    return soon(new Promise((resolve) => this.stream.write('', () => resolve())), CLOSE_TIMEOUT_MS);
  }
}
