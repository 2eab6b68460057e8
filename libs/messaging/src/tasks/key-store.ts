/**
 * Where short values are kept under keys for a time: which requests were answered, which tasks have succeeded. What a
 * store keeps is a memory and no record: it may forget (a restart, an eviction), and then work may be done again.
 *
 * Every method rejects, within a few seconds, when the store cannot tell.
 */
export interface KeyStore {
  /** The value of the key; undefined when there is none, or its time is over. */
  get(key: string): Promise<string | undefined>;
  /** Sets a value where there is none. Of several who try at once, one does. Resolves to the value that was there before it. */
  setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined>;
  /** Sets another value, and its time, if `expected` is still there. Resolves to whether it was. */
  replace(key: string, expected: string, value: string, ttlMs: number): Promise<boolean>;
  /** Deletes the key if `expected` is still there. Resolves to whether it was. */
  delete(key: string, expected: string): Promise<boolean>;
}
