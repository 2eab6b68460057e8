import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '@mercury/messaging';

/** The names of API keys by their hashes. Keys themselves are stored nowhere. */
export class ApiKeys {
  private constructor(private readonly keys: readonly { name: string; hash: Buffer }[]) {}

  /** @throws ConfigError `CONFIG_INVALID`, as `parse`, and when the file cannot be read. */
  static fromFile(path: string): ApiKeys {
    try {
      return ApiKeys.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      throw error instanceof ConfigError ? error : unreadable(error);
    }
  }

  /**
   * Reads `name:sha256-in-hex` lines; empty lines and `#` comments are skipped. A name may have several keys, so that one can
   * be replaced without a gap; a key has one name.
   * @throws ConfigError `CONFIG_INVALID`, naming each wrong line by its number.
   */
  static parse(text: string): ApiKeys {
    const problems: string[] = [];
    const owners = new Map<string, string>();
    const keys: { name: string; hash: Buffer }[] = [];
    for (const [index, line] of text.split('\n').entries()) {
      const trimmed = line.trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const [, name, hash] = /^([\w.-]{1,100}):([\da-f]{64})$/i.exec(trimmed) ?? [];
      if (name === undefined || hash === undefined) {
        problems.push(`API_KEYS_FILE line ${index + 1} is not name:sha256`);
        continue;
      }
      const owner = owners.get(hash.toLowerCase()) ?? name;
      if (owner !== name) problems.push(`API_KEYS_FILE line ${index + 1} gives the key of ${owner} to ${name}, too`);
      owners.set(hash.toLowerCase(), owner);
      keys.push({ name, hash: Buffer.from(hash, 'hex') });
    }
    if (keys.length === 0 && problems.length === 0) problems.push('API_KEYS_FILE holds no key');
    if (problems.length > 0) throw new ConfigError('Environment', problems);
    return new ApiKeys(keys);
  }

  /** The name of a key; undefined for one that is unknown. Takes the same time for every wrong key. */
  nameOf(key: string): string | undefined {
    const hash = createHash('sha256').update(key).digest();
    let found: string | undefined;
    for (const known of this.keys) if (timingSafeEqual(hash, known.hash)) found = known.name;
    return found;
  }
}

export function unreadable(error: unknown): ConfigError {
  return new ConfigError('Environment', [`API_KEYS_FILE cannot be read: ${(error as Error).message}`]);
}
