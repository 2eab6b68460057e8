import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { ConfigError } from '@mercury/messaging';
import { ApiKeys, unreadable } from './api-keys';

const LOOK_EVERY_MS = 2_000;

/**
 * The keys of a file as it is now: it is looked at every 2 s, and on SIGHUP. A file that is wrong changes nothing, and is told of
 * once. Looked at, because what the system tells of changes by itself gets lost on network drives and where a folder is replaced.
 */
export class ApiKeysFile {
  private readonly log = new Logger('ApiKeys');
  private text: string;
  private keys: ApiKeys;
  private problem: string | undefined;
  private readonly timer: NodeJS.Timeout;
  private reading: Promise<void> | undefined;
  /** One after the other: a slow one that ended after a later one would bring back what the file was before. */
  private readonly look = () => void (this.reading ??= this.read().finally(() => (this.reading = undefined)));

  /** @throws ConfigError `CONFIG_INVALID`, only here. */
  constructor(
    private readonly path: string,
    lookEveryMs = LOOK_EVERY_MS,
  ) {
    this.text = readFileSync(path, 'utf8');
    this.keys = ApiKeys.parse(this.text);
    this.timer = setInterval(this.look, lookEveryMs).unref();
    process.on('SIGHUP', this.look);
  }

  /** Whether the file is wrong now, and older keys count. */
  get isStale(): boolean {
    return this.problem !== undefined;
  }

  nameOf(key: string): string | undefined {
    return this.keys.nameOf(key);
  }

  close(): void {
    clearInterval(this.timer);
    process.off('SIGHUP', this.look);
  }

  private async read(): Promise<void> {
    try {
      const text = await readFile(this.path, 'utf8').catch((error: unknown) => {
        throw unreadable(error);
      });
      if (text === this.text && !this.isStale) return;
      this.keys = ApiKeys.parse(text);
      this.text = text;
      this.problem = undefined;
      this.log.log('Read the API keys again.');
    } catch (error) {
      const problem = error instanceof ConfigError ? error.problems.join('; ') : String(error);
      if (problem !== this.problem) this.log.error(`The API keys stay as they were: ${problem}.`);
      this.problem = problem;
    }
  }
}
