import { MemoryKeyStore, type Task } from '@mercury/messaging';
import { RedisKeyStore } from '@mercury/messaging/redis';
import { RedisServer } from '../../tools/redis';
import { Proxy } from '../faults/proxy';
import { rabbitUrl } from '../support/rabbit';
import { Collector, gate, until } from '../support/until';
import { Workbench, type TestWorker } from '../support/workbench';

const LEVELS_MS = [100];

const bench = new Workbench(LEVELS_MS);
let redis: RedisServer;
let stores: RedisKeyStore[];

beforeAll(async () => {
  redis = await RedisServer.open((line) => process.stderr.write(`${line}\n`));
}, 120_000);

afterAll(() => redis?.close());

beforeEach(() => {
  stores = [];
});

afterEach(() => Promise.all(stores.map((store) => store.stop())));

function redisStore(): RedisKeyStore {
  const store = new RedisKeyStore(redis.url);
  store.events.on('problem', () => undefined);
  stores.push(store);
  return store;
}

function skippedBy(worker: TestWorker): Collector<Task> {
  const skipped = new Collector<Task>();
  worker.events.on('skipped', (task) => skipped.push(task));
  return skipped;
}

describe('a task that has succeeded', () => {
  it('is not executed by another worker, and leaves the queue', async () => {
    const first = bench.worker(() => undefined, { keyStore: redisStore() });
    await first.start();
    const settled = new Promise((resolve) => first.events.once('settled', resolve));
    await bench.client().put({ type: 'report' }, { id: 'order-1' });
    await settled;
    await first.stop();
    const second = bench.worker(() => undefined, { keyStore: redisStore() });
    const skipped = skippedBy(second);
    const outcomes = new Collector<string>();
    second.events.on('settled', ({ outcome }) => outcomes.push(outcome.kind));
    await second.start();
    await bench.client().put({ type: 'report' }, { id: 'order-1' });
    expect(await skipped.atLeast(1)).toMatchObject([{ id: 'order-1', attempt: 1 }]);
    expect([second.seen.values, outcomes.values]).toEqual([[], []]);
    await second.stop();
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });

  it('is executed again by a worker that remembers nothing', async () => {
    const worker = bench.worker(() => undefined);
    await worker.start();
    for (let number = 0; number < 2; number++) await bench.client().put({ type: 'report' }, { id: 'order-1' });
    await worker.seen.atLeast(2);
  });

  it('is not executed again when its connection was lost before the ack', async () => {
    const proxy = await Proxy.open(Number(new URL(rabbitUrl()).port || 5672));
    const url = new URL(rabbitUrl());
    url.host = `127.0.0.1:${proxy.port}`;
    /** Loses the connection in the moment in which the success is remembered: the ack comes too late. */
    class CuttingStore extends MemoryKeyStore {
      cuts = 0;

      override async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
        const earlier = await super.setIfAbsent(key, value, ttlMs);
        this.cuts += proxy.resetAll() > 0 ? 1 : 0;
        await until('the worker has lost the task', () => worker.seen.values[0]?.signal.aborted === true);
        return earlier;
      }
    }
    const keyStore = new CuttingStore();
    const worker = bench.worker(() => undefined, { rabbitUrl: url.href, keyStore });
    worker.events.on('problem', () => undefined);
    const skipped = skippedBy(worker);
    await worker.start();
    const id = await bench.client().put({ type: 'report' });
    expect(await skipped.atLeast(1)).toMatchObject([{ id, attempt: 1 }]);
    expect([keyStore.cuts, worker.seen.values.length]).toEqual([1, 1]);
    await worker.stop();
    await proxy.close();
  });

  it('does not keep a task that has only failed from being tried again', async () => {
    const worker = bench.worker(
      (task) => {
        if (task.attempt === 1) throw new Error('once');
      },
      { keyStore: redisStore() },
    );
    await worker.start();
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(2);
    expect(worker.seen.values.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });
});

describe('a worker whose key store goes away', () => {
  it('executes nothing until it is back, says so, and loses no attempt', async () => {
    const worker = bench.worker(() => undefined, { keyStore: redisStore() });
    const problems = new Collector<string>();
    worker.events.on('problem', ({ code }) => problems.push(code));
    await worker.start();
    await redis.kill();
    const id = await bench.client().put({ type: 'report' });
    await problems.atLeast(1);
    expect(worker.problem).toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    expect(worker.seen.values).toEqual([]);
    await redis.start();
    await worker.seen.atLeast(1);
    expect(worker.seen.values).toMatchObject([{ id, attempt: 1 }]);
    expect(worker.problem).toBeUndefined();
    expect(problems.values).toEqual(['KEY_STORE_UNAVAILABLE']);
  });

  it('gives back what waits when it stops, without an attempt less', async () => {
    const worker = bench.worker(() => undefined, { keyStore: redisStore() });
    const problems = new Collector<string>();
    worker.events.on('problem', ({ code }) => problems.push(code));
    await worker.start();
    await redis.kill();
    const id = await bench.client().put({ type: 'report' });
    await problems.atLeast(1);
    await worker.stop();
    await redis.start();
    expect((await bench.rabbit.take(bench.queueName))?.properties).toMatchObject({
      messageId: id,
      headers: { 'x-attempt': 1 },
    });
    expect(worker.seen.values).toEqual([]);
  });

  it('ends a task that has succeeded although that cannot be remembered, and says so', async () => {
    const hold = gate();
    const worker = bench.worker(() => hold.opened, { keyStore: redisStore() });
    const problems = new Collector<string>();
    worker.events.on('problem', ({ code }) => problems.push(code));
    await worker.start();
    const settled = new Promise((resolve) => worker.events.once('settled', resolve));
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(1);
    await redis.kill();
    hold.open();
    await expect(settled).resolves.toMatchObject({ outcome: { kind: 'success' } });
    expect(problems.values).toEqual(['COMPLETION_NOT_STORED']);
    await redis.start();
    await worker.stop();
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });
});
