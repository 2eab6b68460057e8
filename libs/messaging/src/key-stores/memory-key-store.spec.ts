import { MemoryKeyStore } from './memory-key-store';

// What it has in common with other stores: test/e2e/key-store.e2e.ts.
describe('MemoryKeyStore', () => {
  it('keeps as many keys as it may, and forgets the oldest first', async () => {
    const store = new MemoryKeyStore(2);
    for (const key of ['a', 'b', 'c']) await store.setIfAbsent(key, key, 60_000);
    expect(await Promise.all(['a', 'b', 'c'].map((key) => store.get(key)))).toEqual([undefined, 'b', 'c']);
  });

  it('counts a key that was replaced as a new one', async () => {
    const store = new MemoryKeyStore(2);
    for (const key of ['a', 'b']) await store.setIfAbsent(key, key, 60_000);
    await store.replace('a', 'a', 'A', 60_000);
    await store.setIfAbsent('c', 'c', 60_000);
    expect(await Promise.all(['a', 'b', 'c'].map((key) => store.get(key)))).toEqual(['A', undefined, 'c']);
  });
});
