import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { MemoryKeyStore, type KeyStore, type MercuryError } from '@mercury/messaging';
import { RedisKeyStore } from '@mercury/messaging/redis';
import { isFree } from '../../tools/broker/ports';
import { projectRoot } from '../../tools/broker/project';
import { RedisServer } from '../../tools/redis';
import { uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const TTL_MS = 60_000;

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.open((line) => process.stderr.write(`${line}\n`));
}, 120_000);

afterAll(() => redis?.close());

/** What every store does, whatever it is made of. Two processes are two stores over the same keys. */
describe.each<[string, () => [KeyStore, KeyStore, () => Promise<void>]]>([
  [
    'in memory',
    () => {
      const store = new MemoryKeyStore();
      return [store, store, async () => undefined];
    },
  ],
  [
    'in Redis',
    () => {
      const stores = [new RedisKeyStore(redis.url), new RedisKeyStore(redis.url)] as const;
      return [...stores, async () => void (await Promise.all(stores.map((store) => store.stop())))];
    },
  ],
])('a key store %s', (_where, open) => {
  let here: KeyStore;
  let there: KeyStore;
  let close: () => Promise<void>;
  let key: string;

  beforeEach(() => {
    [here, there, close] = open();
    key = uniqueName('ключ "key" with spaces');
  });

  afterEach(() => close());

  it('knows nothing of a key that nobody has set', async () => {
    expect(await here.get(key)).toBeUndefined();
    expect(await here.replace(key, 'a', 'b', TTL_MS)).toBe(false);
    expect(await here.delete(key, 'a')).toBe(false);
    expect(await here.get(key)).toBeUndefined();
  });

  it.each<[string, string]>([
    ['of one letter', 'a'],
    ['that is empty', ''],
    ['that looks like a number', '0'],
    ['of any letters', 'ünïcode ☿ {"json":true}'],
    ['of 10,000 letters', 'x'.repeat(10_000)],
  ])('keeps a value %s as it is', async (_what, value) => {
    expect(await here.setIfAbsent(key, value, TTL_MS)).toBeUndefined();
    expect(await there.get(key)).toBe(value);
  });

  it('keeps the first value, and gives it to whoever comes later', async () => {
    await here.setIfAbsent(key, 'first', TTL_MS);
    expect(await there.setIfAbsent(key, 'second', TTL_MS)).toBe('first');
    expect(await here.get(key)).toBe('first');
  });

  it('lets one of many set a value, who try at the same time', async () => {
    const values = Array.from({ length: 50 }, (_, number) => String(number));
    const earlier = await Promise.all(
      values.map((value, number) => (number % 2 ? here : there).setIfAbsent(key, value, TTL_MS)),
    );
    const winners = values.filter((_value, number) => earlier[number] === undefined);
    expect(winners).toHaveLength(1);
    expect(new Set(earlier)).toEqual(new Set([undefined, winners[0]]));
  });

  it('replaces a value only for those who know it', async () => {
    await here.setIfAbsent(key, 'first', TTL_MS);
    expect(await there.replace(key, 'other', 'second', TTL_MS)).toBe(false);
    expect(await here.get(key)).toBe('first');
    expect(await there.replace(key, 'first', 'second', TTL_MS)).toBe(true);
    expect(await here.get(key)).toBe('second');
  });

  it('deletes a value only for those who know it', async () => {
    await here.setIfAbsent(key, 'first', TTL_MS);
    expect(await there.delete(key, 'other')).toBe(false);
    expect(await there.delete(key, 'first')).toBe(true);
    expect(await here.setIfAbsent(key, 'second', TTL_MS)).toBeUndefined();
  });

  it('forgets a value when its time is over, and takes another one', async () => {
    await here.setIfAbsent(key, 'first', 30);
    await until('it is forgotten', async () => (await there.get(key)) === undefined);
    expect(await here.replace(key, 'first', 'second', TTL_MS)).toBe(false);
    expect(await here.setIfAbsent(key, 'third', TTL_MS)).toBeUndefined();
  });

  it('gives a replaced value its own time', async () => {
    const otherKey = `${key} 2`;
    await here.setIfAbsent(otherKey, 'first', 30);
    await here.setIfAbsent(key, 'first', TTL_MS);
    await here.replace(key, 'first', 'second', 30);
    await here.replace(otherKey, 'first', 'second', TTL_MS);
    await until('it is forgotten', async () => (await here.get(key)) === undefined);
    // Set before the other one was, so its first time is over as well.
    expect(await here.get(otherKey)).toBe('second');
  });
});

it('the Redis of a process that is killed ends with it', async () => {
  const program = `require('./dist/tools/redis').RedisServer.open().then(({ url }) => console.log(url))`;
  const holder = spawn(process.execPath, ['-e', program], { cwd: projectRoot, stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
  const port = Number(new URL(url).port);
  expect(await isFree(port)).toBe(false);
  holder.kill('SIGKILL');
  await until('its port is free', () => isFree(port));
});

describe('a RedisKeyStore whose Redis goes away', () => {
  let store: RedisKeyStore;
  let problems: MercuryError[];

  beforeEach(() => {
    store = new RedisKeyStore(redis.url);
    problems = [];
    store.events.on('problem', (problem) => problems.push(problem));
  });

  afterEach(() => store.stop());

  it('fails at once, tells it once, and comes back by itself with what Redis still knows', async () => {
    const key = uniqueName('key');
    await store.setIfAbsent(key, 'first', TTL_MS);
    await redis.kill();
    await until('it is told', () => problems.length > 0);
    for (let asked = 0; asked < 3; asked++) {
      await expect(store.get(key)).rejects.toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    }
    expect(problems).toHaveLength(1);
    const ready = new Promise<void>((resolve) => store.events.once('ready', resolve));
    await redis.start();
    await ready;
    expect(await store.get(key)).toBe('first');
  });

  it('names the address’ problem and never the password', async () => {
    const { port } = new URL(redis.url);
    await using locked = new RedisKeyStore(`redis://nobody:hunter2@127.0.0.1:${port}`);
    const told: string[] = [];
    locked.events.on('problem', ({ message }) => told.push(message));
    locked.start();
    await until('the problem is told', () => told.length > 0);
    expect(told.join()).toContain('Redis does not answer');
    expect(told.join()).not.toContain('hunter2');
  });

  it('leaves nothing open after its stop, also while it tries to connect', async () => {
    const { port } = new URL(redis.url);
    await redis.kill();
    const late = new RedisKeyStore(`redis://127.0.0.1:${port}`);
    late.events.on('problem', () => undefined);
    late.start();
    await late.stop();
    await expect(late.get('key')).rejects.toMatchObject({ code: 'STOPPED' });
    await redis.start();
  });

  it('fails within its deadline when Redis answers nothing, and comes back', async () => {
    await store.get('key');
    redis.freeze();
    try {
      const startedAtMs = performance.now();
      await expect(store.get('key')).rejects.toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
      expect(performance.now() - startedAtMs).toBeLessThan(4_000);
    } finally {
      redis.thaw();
    }
    await until('it is back', () =>
      store.get('key').then(
        () => true,
        () => false,
      ),
    );
  });
});
