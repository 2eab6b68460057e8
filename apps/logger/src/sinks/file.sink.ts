import { fstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import SonicBoom from 'sonic-boom';
import { ConfigError, type JsonObject, type Level } from '@mercury/messaging';
import type { Sink } from './sink';

/** Appends one JSON object per line. What an event says cannot end its line: JSON escapes line ends. */
export class FileSink implements Sink {
  readonly name = 'file';
  problem: string | undefined;
  private readonly file: SonicBoom;

  /** @throws ConfigError `CONFIG_INVALID` when the file cannot be opened: better now than at the first event. */
  constructor(
    readonly levels: readonly Level[],
    path: string,
  ) {
    const fd = openForAppending(path);
    // A pipe or a device cannot be synchronised, and says so with an error.
    this.file = new SonicBoom({ fd, sync: false, fsync: fstatSync(fd).isFile() });
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

function openForAppending(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'a');
  } catch (error) {
    throw new ConfigError('Environment', [`LOG_FILE cannot be opened: ${(error as Error).message}`]);
  }
}
