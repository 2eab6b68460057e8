import type { Redis } from 'ioredis';
import { ConfigError, MercuryError, stopped } from './errors';
import { Events, type ConnectionEvents } from './events';
import type { KeyStore } from './key-store';
import { backoffMs } from './retry-policy';

const PREFIX = 'mercury:';
const ANSWER_TIMEOUT_MS = 2_000;
const RECONNECT_CAP_MS = 2_000;
const CLOSE_TIMEOUT_MS = 500;

/** As scripts, because Redis executes one as a whole: nobody comes in between. */
const SCRIPT = {
  setIfAbsent: `
    local earlier = redis.call('GET', KEYS[1])
    if not earlier then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
    return earlier`,
  replace: `
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return 1`,
  delete: `
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])`,
} as const;

/** Keeps keys in a Redis that several processes share. Needs the package `ioredis`, which is loaded at the first use. */
export class RedisKeyStore implements KeyStore {
  readonly events = new Events<ConnectionEvents>();
  private opening: Promise<Redis> | undefined;
  private isStopped = false;
  /** Why there is no connection now. */
  private down: string | undefined;

  /**
   * @param url `redis://user:password@host:6379/0`, or `rediss://` for TLS.
   * @throws ConfigError `CONFIG_INVALID`. Does not connect: the first use or `start` does.
   */
  constructor(private readonly url: string) {
    // The URL itself is never repeated: it holds a password.
    const isRedisUrl = URL.canParse(url) && ['redis:', 'rediss:'].includes(new URL(url).protocol);
    if (!isRedisUrl) throw new ConfigError('RedisKeyStore', ['the URL must be redis:// or rediss://']);
  }

  /** Connects in the background. While Redis is away it keeps trying, and tells of it as a `problem`. */
  start(): void {
    this.redis().catch((error: unknown) => this.tell(String(error)));
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.ask((redis) => redis.get(PREFIX + key))) ?? undefined;
  }

  async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
    const earlier = await this.run(SCRIPT.setIfAbsent, key, value, ttlMs);
    return typeof earlier === 'string' ? earlier : undefined;
  }

  async replace(key: string, expected: string, value: string, ttlMs: number): Promise<boolean> {
    return (await this.run(SCRIPT.replace, key, expected, value, ttlMs)) === 1;
  }

  async delete(key: string, expected: string): Promise<boolean> {
    return (await this.run(SCRIPT.delete, key, expected)) === 1;
  }

  /** Closes the connection. Safe to call twice. */
  async stop(): Promise<void> {
    this.isStopped = true;
    const redis = await this.opening?.catch(() => undefined);
    redis?.disconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private run(script: string, key: string, ...args: (string | number)[]): Promise<unknown> {
    return this.ask((redis) => redis.eval(script, 1, PREFIX + key, ...args));
  }

  private async ask<Answer>(question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    if (this.isStopped) throw stopped('key store');
    try {
      return await question(await this.redis());
    } catch (cause) {
      throw unavailable(this.down ?? String(cause), cause);
    }
  }

  private redis(): Promise<Redis> {
    return (this.opening ??= this.open());
  }

  private async open(): Promise<Redis> {
    const { Redis } = await import('ioredis');
    const redis = new Redis(this.url, {
      connectTimeout: ANSWER_TIMEOUT_MS,
      disconnectTimeout: CLOSE_TIMEOUT_MS,
      commandTimeout: ANSWER_TIMEOUT_MS,
      // A Redis that answers nothing any more is left, and another connection tried.
      socketTimeout: ANSWER_TIMEOUT_MS,
      // Fail at once while it is away, and send nothing twice or late: whoever asked has gone on by then.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (failures) => backoffMs(failures, RECONNECT_CAP_MS),
    });
    const tried = new Promise<void>((resolve) => redis.once('ready', () => resolve()).once('close', () => resolve()));
    redis.on('ready', () => {
      this.down = undefined;
      this.events.emit('ready');
    });
    redis.on('error', (error: NodeJS.ErrnoException) => this.tell(error.message || (error.code ?? error.name)));
    redis.on('close', () => this.tell('the connection was closed'));
    await tried;
    return redis;
  }

  /** Once per outage: it is tried again and again. */
  private tell(reason: string): void {
    if (this.down !== undefined || this.isStopped) return;
    this.down = reason;
    this.events.emit('problem', unavailable(reason, undefined));
  }
}

function unavailable(reason: string, cause: unknown): MercuryError {
  const message = `Redis does not answer (${reason}); trying again. Is it running, and is its URL right?`;
  return new MercuryError('KEY_STORE_UNAVAILABLE', message, { cause });
}
