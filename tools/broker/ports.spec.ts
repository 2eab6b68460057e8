import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { freePort, freePorts, isFree, untilListening } from './ports';

let server: Server;
let port: number;

beforeEach(async () => {
  server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  if (server.listening) await once(server.close(), 'close');
});

describe('a port', () => {
  it('is free when nobody listens on it', async () => {
    expect(await isFree(port)).toBe(false);
    await once(server.close(), 'close');
    expect(await isFree(port)).toBe(true);
  });

  it('is left free by those who ask', async () => {
    const found = await freePort();
    expect(await isFree(found)).toBe(true);
    expect(await isFree(found)).toBe(true);
  });

  it('is none of the taken ones', async () => {
    const all = Array.from({ length: 12_000 }, (_nothing, index) => 20_000 + index);
    await expect(freePort(new Set(all))).rejects.toMatchObject({ code: 'NO_PORT' });
  });

  it('lies below those for outgoing connections, and differs from the others', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    expect(ports.filter((each) => each < 20_000 || each >= 32_000)).toEqual([]);
  });
});

describe('untilListening', () => {
  it('resolves for a port that listens', async () => {
    await expect(untilListening(port, 5_000, () => true)).resolves.toBeUndefined();
  });

  it('resolves once a port listens', async () => {
    await once(server.close(), 'close');
    let asked = 0;
    const waiting = untilListening(port, 5_000, () => {
      if (asked++ === 0) server.listen(port, '127.0.0.1');
      return false;
    });
    await expect(waiting).resolves.toBeUndefined();
    expect(asked).toBeGreaterThan(0);
  });

  it.each([
    ['the program has ended', 5_000, true, 'ended before it listened'],
    ['the time is up', 0, false, 'Nothing listens'],
  ])('gives up when %s', async (_what, timeoutMs, ended, message) => {
    await once(server.close(), 'close');
    const failure = { code: 'BROKER_FAILED', message: expect.stringContaining(message) as string };
    await expect(untilListening(port, timeoutMs, () => ended)).rejects.toMatchObject(failure);
  });
});
