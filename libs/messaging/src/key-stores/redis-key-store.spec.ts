import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { ConfigError, type MercuryError } from '../errors';
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

  it('does not repeat the password, although the server does, nor keep the error that holds it', async () => {
    const server = createServer((socket) => {
      socket.on('data', (sent) => {
        const said = sent.toString().replaceAll(/\s+/g, ' ');
        socket.write(`-ERR unknown command, with args beginning with: ${said}\r\n`.repeat(said.split('*').length - 1));
      });
      socket.on('error', () => undefined);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const store = new RedisKeyStore(`redis://ada:h%C3%BCsh-hush@127.0.0.1:${(server.address() as AddressInfo).port}`);
    const told: MercuryError[] = [];
    store.events.on('problem', (problem) => told.push(problem));
    const refusal = (await store.get('a').catch((error: unknown) => error)) as MercuryError;
    expect(refusal).toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    expect(refusal.cause).toBeUndefined();
    expect([refusal, ...told].map(String).join()).toContain('***');
    expect([refusal, ...told].map(String).join()).not.toContain('hüsh-hush');
    await store.stop();
    server.close();
  });
});
