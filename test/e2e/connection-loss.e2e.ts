import { WorkerClient, type Task } from '@mercury/messaging';
import { Proxy } from '../faults/proxy';
import { rabbitUrl } from '../support/rabbit';
import { gate, inTime, until } from '../support/until';
import { type TestWorker, Workbench } from '../support/workbench';

const LEVELS_MS = [100];

const bench = new Workbench(LEVELS_MS);
let proxy: Proxy;

beforeEach(async () => {
  proxy = await Proxy.open(Number(new URL(rabbitUrl()).port || 5672));
});

afterEach(() => proxy.close());

function proxied(): string {
  const url = new URL(rabbitUrl());
  url.host = `127.0.0.1:${proxy.port}`;
  return url.href;
}

function workerBehindProxy(work: (task: Task) => unknown, capacity = 1): TestWorker {
  const worker = bench.worker(work, { capacity, rabbitUrl: proxied() });
  worker.events.on('problem', () => undefined);
  return worker;
}

describe('a worker that loses its connection', () => {
  it('comes back, and the task goes on with the same attempt number', async () => {
    const hold = gate();
    const worker = workerBehindProxy(() => hold.opened);
    await worker.start();
    const id = await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(1);
    expect(worker.seen.values[0]?.signal.aborted).toBe(false);
    proxy.resetAll();
    await until('the handler is told', () => worker.seen.values[0]?.signal.aborted === true);
    hold.open();
    await worker.seen.atLeast(2);
    expect(worker.seen.values.map((task) => [task.id, task.attempt])).toEqual([
      [id, 1],
      [id, 1],
    ]);
  });

  it('never runs more than its capacity, also while handlers of lost connections go on', async () => {
    const hold = gate();
    const worker = workerBehindProxy(() => hold.opened);
    await worker.start();
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(1);
    for (let cut = 0; cut < 3; cut++) {
      const again = new Promise<void>((resolve) => worker.events.once('ready', resolve));
      proxy.resetAll();
      await inTime('it consumes again', again);
      await until('the broker has given the task again', async () => (await bench.rabbit.depth(bench.queueName)) === 0);
    }
    expect(worker.most).toBe(1);
    expect(worker.seen.values).toHaveLength(1);
    hold.open();
    await worker.seen.atLeast(2);
    expect(worker.most).toBe(1);
  });

  it('consumes nothing anew while it drains: the others get it', async () => {
    const hold = gate();
    const worker = workerBehindProxy(() => hold.opened);
    await worker.start();
    for (let number = 0; number < 3; number++) await bench.client().put({ type: 'report', number });
    await worker.seen.atLeast(1);
    let readies = 0;
    worker.events.on('ready', () => (readies += 1));
    const stopped = worker.stop();
    proxy.resetAll();
    await until('all three wait for somebody else', async () => (await bench.rabbit.depth(bench.queueName)) === 3);
    hold.open();
    await stopped;
    expect([readies, worker.seen.values.length]).toEqual([0, 1]);
    const left = await bench.rabbit.take(bench.queueName);
    expect(left?.properties.headers).toMatchObject({ 'x-attempt': 1 });
  });

  it('ends within its deadlines when the broker answers nothing at all', async () => {
    const worker = workerBehindProxy(() => undefined);
    await worker.start();
    proxy.beginSilence();
    const startedAtMs = performance.now();
    await worker.stop();
    expect(performance.now() - startedAtMs).toBeLessThan(12_000);
  });
});

describe('a client that loses its connection', () => {
  it('tells of each task whether it is stored, not stored, or unknown, and goes on', async () => {
    const { queueName } = bench;
    await using client = new WorkerClient({ rabbitUrl: proxied(), queueName, retryDelaysMs: LEVELS_MS });
    client.events.on('problem', () => undefined);
    await client.put({ type: 'report' });
    const puts = Array.from({ length: 500 }, (_, number) => client.put({ type: 'report', number }));
    proxy.resetAll();
    const outcomes = await Promise.allSettled(puts);
    const stored = outcomes.filter(({ status }) => status === 'fulfilled').length;
    const unknown = outcomes.filter((outcome) => outcome.status === 'rejected').length;
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'PUBLISH_UNKNOWN' });
    }
    await client.put({ type: 'report' });
    const depth = (await bench.rabbit.depth(queueName)) ?? 0;
    expect(depth).toBeGreaterThanOrEqual(stored + 2);
    expect(depth).toBeLessThanOrEqual(stored + unknown + 2);
  });
});

describe('after its stop', () => {
  it('a worker refuses to start, also one that was still connecting', async () => {
    const worker = workerBehindProxy(() => undefined);
    await proxy.close();
    const started = worker.start();
    await worker.stop();
    await expect(started).rejects.toMatchObject({ code: 'STOPPED' });
    await expect(worker.start()).rejects.toMatchObject({ code: 'STOPPED' });
    proxy = await Proxy.open(Number(new URL(rabbitUrl()).port || 5672));
  });
});
