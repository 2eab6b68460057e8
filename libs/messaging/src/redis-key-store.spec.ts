import { ConfigError } from './errors';
import { RedisKeyStore } from './redis-key-store';

// What it does with a Redis: test/e2e/key-store.e2e.ts.
describe('RedisKeyStore', () => {
  it.each([[''], ['localhost:6379'], ['http://user:hunter2@localhost']])('refuses a URL that is none: %s', (url) => {
    expect(() => new RedisKeyStore(url)).toThrow(ConfigError);
    expect(() => new RedisKeyStore(url)).not.toThrow('hunter2');
  });

  it('does not connect before it is used, and not at all after its stop', async () => {
    const store = new RedisKeyStore('redis://127.0.0.1:1');
    await store.stop();
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STOPPED' });
  });
});
