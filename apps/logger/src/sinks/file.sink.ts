import { close, fdatasync, write } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ConfigError, escapeUnseen, type JsonObject, type Level } from '@mercury/messaging';
import { canBeSynchronised, isDeleted, isStillAt, openForAppending } from './log-file';
import { CLOSE_TIMEOUT_MS, STUCK_MS, soon, type Sink } from './sink';

const AGAIN_MS = { first: 2, longest: 100 };

/**
 * Appends one JSON object per line. What an event says cannot end its line: JSON escapes line ends. Holds one event at a time: while the file
 * takes nothing, its promise waits, and with it the subscription. A file that was renamed or deleted is opened again before the next event.
 */
export class FileSink implements Sink {
  readonly name = 'file';
  problem: string | undefined;
  private fd: number;
  private last: Promise<void> = Promise.resolve();
  private readonly closing = new AbortController();
  private syncing: Promise<void> | undefined;
  private isSynced = true;

  /** @throws ConfigError `CONFIG_INVALID` when the file cannot be opened: better now than at the first event. */
  constructor(
    readonly levels: readonly Level[],
    private readonly path: string,
  ) {
    try {
      this.fd = openForAppending(path);
    } catch (error) {
      throw new ConfigError('Environment', [`LOG_FILE cannot be opened: ${(error as Error).message}`]);
    }
  }

  write(level: Level, data: JsonObject): Promise<void> {
    const json = JSON.stringify({ receivedAt: new Date().toISOString(), level, data });
    const line = Buffer.from(`${escapeUnseen(json)}\n`);
    this.last = this.last.then(() => this.append(line));
    return this.last;
  }

  /** Waits up to 3 s for what is not written yet, and as long for the disk. */
  async close(): Promise<void> {
    await soon(this.last, CLOSE_TIMEOUT_MS);
    this.closing.abort();
    const finished = async () => {
      await this.last;
      await this.syncing;
      await promisify(close)(this.fd);
    };
    await soon(finished(), CLOSE_TIMEOUT_MS);
  }

  private async append(line: Buffer): Promise<void> {
    const { signal } = this.closing;
    const stuck = setTimeout(() => this.fail(this.problem ?? problemOf('it takes nothing')), STUCK_MS).unref();
    let againMs = AGAIN_MS.first;
    for (let written = 0; written < line.length && !signal.aborted;) {
      try {
        // Not within a line: the rest of it belongs to its beginning.
        if (written === 0) await this.follow();
        const { bytesWritten } = await promisify(write)(this.fd, line, written);
        written += bytesWritten;
        againMs = AGAIN_MS.first;
        stuck.refresh();
        this.problem = undefined;
        // Between the look and the write: nobody would ever read it.
        if (written === line.length && isDeleted(this.fd) && !isStillAt(this.path, this.fd)) written = 0;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'EAGAIN') this.fail(problemOf(message));
        await pause(againMs, undefined, { signal }).catch(() => undefined);
        againMs = Math.min(againMs * 2, AGAIN_MS.longest);
      }
    }
    clearTimeout(stuck);
    this.isSynced = false;
    this.syncing ??= this.sync().finally(() => (this.syncing = undefined));
  }

  private async follow(): Promise<void> {
    if (isStillAt(this.path, this.fd)) return;
    await this.syncing;
    const old = this.fd;
    this.fd = openForAppending(this.path);
    await promisify(close)(old);
  }

  /** In the background, one at a time: what was written meanwhile is in the next. */
  private async sync(): Promise<void> {
    if (!canBeSynchronised(this.fd)) return;
    while (!this.isSynced) {
      this.isSynced = true;
      await promisify(fdatasync)(this.fd).catch(({ message }: Error) => this.fail(problemOf(message)));
    }
  }

  private fail(problem: string): void {
    if (this.problem !== problem) process.stderr.write(`${problem}\n`);
    this.problem = problem;
  }
}

function problemOf(why: string): string {
  return `Events cannot be written to the log file: ${why}`;
}
