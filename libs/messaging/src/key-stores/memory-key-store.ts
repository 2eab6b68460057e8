import type { KeyStore } from '../tasks/key-store';

const MOST_KEYS = 100_000;

interface Entry {
  value: string;
  untilMs: number;
}

/** Keeps keys in this process, and only as long as it lives. Their time is that of the process, also on a broker for tests. */
export class MemoryKeyStore implements KeyStore {
  /** The oldest first. */
  private readonly entries = new Map<string, Entry>();

  /** @param mostKeys when there are more, the oldest is forgotten. Default 100,000: some 20 MB. */
  constructor(private readonly mostKeys = MOST_KEYS) {}

  async get(key: string): Promise<string | undefined> {
    return this.valueOf(key);
  }

  async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
    const earlier = this.valueOf(key);
    if (earlier === undefined) this.set(key, value, ttlMs);
    return earlier;
  }

  async replace(key: string, expected: string, value: string, ttlMs: number): Promise<boolean> {
    if (this.valueOf(key) !== expected) return false;
    this.set(key, value, ttlMs);
    return true;
  }

  async delete(key: string, expected: string): Promise<boolean> {
    return this.valueOf(key) === expected && this.entries.delete(key);
  }

  private valueOf(key: string): string | undefined {
    const entry = this.entries.get(key);
    return entry && performance.now() < entry.untilMs ? entry.value : undefined;
  }

  private set(key: string, value: string, ttlMs: number): void {
    this.entries.delete(key);
    this.entries.set(key, { value, untilMs: performance.now() + ttlMs });
    const [oldest] = this.entries.keys();
    if (this.entries.size > this.mostKeys && oldest !== undefined) this.entries.delete(oldest);
  }
}
