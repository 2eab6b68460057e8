import { close, fdatasync, fstatSync, write } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ConfigError, escapeUnseen, type JsonObject, type Level } from '@mercury/messaging';
import { isStillAt, openForAppending } from './log-file';
import type { Sink } from './sink';

const AGAIN_MS = 100;
/** A target that takes nothing for so long is told of. */
const STUCK_MS = 5_000;
const CLOSE_TIMEOUT_MS = 3_000;

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
  private stuckSinceMs: number | undefined;
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

  /** Waits up to 3 s for what is not written yet. */
  async close(): Promise<void> {
    await Promise.race([this.last, pause(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
    this.closing.abort();
    await this.last;
    await this.sync();
    await promisify(close)(this.fd);
  }

  private async append(line: Buffer): Promise<void> {
    const { signal } = this.closing;
    for (let written = 0; written < line.length && !signal.aborted;) {
      try {
        // Not within a line: the rest of it belongs to its beginning.
        if (written === 0) await this.follow();
        const { bytesWritten } = await promisify(write)(this.fd, line, written);
        written += bytesWritten;
        this.stuckSinceMs = undefined;
        this.problem = undefined;
      } catch (error) {
        this.failed(error as NodeJS.ErrnoException);
        await pause(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    this.isSynced = false;
    void this.sync();
  }

  private async follow(): Promise<void> {
    if (isStillAt(this.path, this.fd)) return;
    const old = this.fd;
    this.fd = openForAppending(this.path);
    await this.syncing;
    await promisify(close)(old);
  }

  /** In the background, one at a time: what was written meanwhile is in the next. A pipe or a device cannot be synchronised. */
  private async sync(): Promise<void> {
    await this.syncing;
    if (this.isSynced || !fstatSync(this.fd).isFile()) return;
    this.isSynced = true;
    this.syncing = promisify(fdatasync)(this.fd).catch((error: NodeJS.ErrnoException) => this.failed(error));
    await this.syncing;
  }

  private failed(error: NodeJS.ErrnoException): void {
    if (error.code === 'EAGAIN') {
      this.stuckSinceMs ??= performance.now();
      if (performance.now() - this.stuckSinceMs < STUCK_MS) return;
    }
    const why = error.code === 'EAGAIN' ? 'it takes nothing' : error.message;
    const problem = `Events cannot be written to the log file: ${why}`;
    if (this.problem !== problem) process.stderr.write(`${problem}\n`);
    this.problem = problem;
  }
}
