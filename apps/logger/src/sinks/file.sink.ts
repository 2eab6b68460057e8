import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SonicBoom from 'sonic-boom';
import type { JsonObject, Level } from '@mercury/messaging';
import type { Sink } from './sink';

/** Appends one JSON object per line. What an event says cannot end its line: JSON escapes line ends. */
export class FileSink implements Sink {
  readonly name = 'file';
  problem: string | undefined;
  private readonly file: SonicBoom;

  constructor(
    readonly levels: readonly Level[],
    path: string,
  ) {
    mkdirSync(dirname(path), { recursive: true });
    this.file = new SonicBoom({ dest: path, append: true, mkdir: true, sync: false, fsync: true });
    this.file.on('error', (error: Error) => this.failed(error));
    this.file.on('write', () => (this.problem = undefined));
  }

  write(level: Level, data: JsonObject): void {
    this.file.write(`${JSON.stringify({ receivedAt: new Date().toISOString(), level, data })}\n`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.file.once('close', resolve);
      this.file.once('error', () => resolve());
      this.file.end();
    });
  }

  private failed(error: Error): void {
    const problem = `Events cannot be written to the log file: ${error.message}`;
    if (this.problem !== problem) process.stderr.write(`${problem}\n`);
    this.problem = problem;
  }
}
