import type { Redis } from 'ioredis';
import { ConfigError, MercuryError, stopped } from '../errors';
import { Events, type ConnectionEvents } from '../events';
import { needPeers } from '../peers';
import type { KeyStore } from '../tasks/key-store';
import { backoffMs } from '../timing';

const PREFIX = 'mercury:';
const ANSWER_TIMEOUT_MS = 2_000;
const RECONNECT_CAP_MS = 2_000;
const CLOSE_TIMEOUT_MS = 500;

/**
 * What a Redis answers that takes no writes: a replica, as after a failover that left the connection open, or one that is loading, full, or cannot
 * save. What it says about keys may be old.
 */
const NO_WRITES = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|MISCONF|OOM|NOREPLICAS|TRYAGAIN)/;
const PROBE = { key: `${PREFIX}probe`, ttlMs: 1_000 };

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
  /** Why nothing can be asked now. */
  private down: string | undefined;
  /** What must not be repeated, although a server may: some say what they did not understand. */
  private readonly secrets: readonly string[];

  /**
   * @param url `redis://user:password@host:6379/0`, or `rediss://` for TLS.
   * @throws ConfigError `CONFIG_INVALID`. @throws MercuryError `PEER_MISSING`. Does not connect: the first use or `start` does.
   */
  constructor(private readonly url: string) {
    needPeers('RedisKeyStore', 'ioredis');
    // The URL itself is never repeated: it holds a password.
    const isRedisUrl = URL.canParse(url) && ['redis:', 'rediss:'].includes(new URL(url).protocol);
    if (!isRedisUrl) throw new ConfigError('RedisKeyStore', ['the URL must be redis:// or rediss://']);
    const { password, username } = new URL(url);
    this.secrets = [password, username]
      .flatMap((part) => [part, decodeURIComponent(part)])
      .filter((part) => part !== '');
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
    const redis = await this.redis().catch((cause: unknown) => Promise.reject(this.unavailable(String(cause))));
    if (this.down !== undefined) throw this.unavailable(this.down);
    try {
      return await question(redis);
    } catch (cause) {
      const reason = messageOf(cause);
      if (NO_WRITES.test(reason)) this.leave(redis, reason);
      throw this.unavailable(this.down ?? reason);
    }
  }

  /** It takes no writes: another connection may lead to one that does. */
  private leave(redis: Redis, reason: string): void {
    this.tell(reason);
    redis.disconnect(true);
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
    let onTried: () => void = () => undefined;
    const tried = new Promise<void>((resolve) => (onTried = resolve));
    redis.on('ready', () => void this.probe(redis).finally(onTried));
    redis.on('error', (error: unknown) => {
      this.tell(messageOf(error));
      onTried();
    });
    redis.on('close', () => {
      this.tell('the connection was closed');
      onTried();
    });
    await tried;
    return redis;
  }

  /** Nothing is asked of a Redis before it has taken a write: what a replica says may be old. */
  private async probe(redis: Redis): Promise<void> {
    try {
      await redis.set(PROBE.key, '', 'PX', PROBE.ttlMs);
      this.down = undefined;
      this.events.emit('ready');
    } catch (error) {
      this.leave(redis, messageOf(error));
    }
  }

  /** Once per outage: it is tried again and again. */
  private tell(reason: string): void {
    if (this.down !== undefined || this.isStopped) return;
    this.down = reason;
    this.events.emit('problem', this.unavailable(reason));
  }

  /** Without the error of ioredis, which holds the command with all that was sent. */
  private unavailable(reason: string): MercuryError {
    const masked = this.secrets.reduce((text, secret) => text.replaceAll(secret, '***'), reason);
    const message = `Redis does not answer, or takes no writes (${masked}); trying again. Is it running, and is its URL right?`;
    return new MercuryError('KEY_STORE_UNAVAILABLE', message);
  }
}

function messageOf(error: unknown): string {
  const { message, code, name } = error as NodeJS.ErrnoException;
  return message || (code ?? name);
}
