import { setTimeout as pause } from 'node:timers/promises';
import { Worker, WorkerClient, suspectQueueOf } from '@mercury/messaging';
import { rabbitUrl } from '../support/rabbit';
import { Collector, gate } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [100, 300];

const bench = new Workbench(LEVELS_MS);

/** Of the tasks in the queue, read by another worker: what came back comes before what is put now. */
async function numbersThatCameBack(sender: WorkerClient, expectedCount: number): Promise<unknown[]> {
  await sender.put({ type: 'marker' });
  const next = bench.worker(() => undefined, { capacity: 1 });
  await next.start();
  await next.seen.atLeast(expectedCount + 1);
  const bodies = next.seen.values.map(({ body }) => body);
  expect(bodies.at(-1)).toEqual({ type: 'marker' });
  return bodies.slice(0, -1).map(({ number }) => number);
}

describe('start', () => {
  it('resolves once the worker consumes, and does not wait for tasks', async () => {
    const worker = bench.worker(() => undefined);
    await worker.start();
    expect(worker.problem).toBeUndefined();
  });

  it('has resolved before the first task begins, also when tasks are waiting', async () => {
    const order: string[] = [];
    const sender = bench.client();
    await Promise.all(Array.from({ length: 20 }, () => sender.put({ type: 'report' })));
    const worker = bench.worker(() => order.push('task'));
    // Its own promise, and no other that follows it: what comes first is told by one turn.
    await Worker.prototype.start.call(worker);
    order.push('started');
    await worker.seen.atLeast(20);
    expect(order[0]).toBe('started');
  });

  it('warns of a handler timeout that the broker would not wait for, with the setting that fits', async () => {
    const worker = bench.worker(() => undefined, { handlerTimeoutMs: 3_600_000 });
    const problems = new Collector<string>();
    worker.events.on('problem', (problem) => problems.push(`${problem.code} ${problem.message}`));
    await worker.start();
    expect(problems.values).toEqual([expect.stringMatching(/^ACK_TIMEOUT_SHORTER .*consumer_timeout = 3660000/)]);
  });

  it('rejects for a wrong password, without repeating it', async () => {
    const url = new URL(rabbitUrl());
    url.password = 'wrong-secret';
    const worker = new (class extends Worker {
      handler(): void {}
    })({ rabbitUrl: url.href, queueName: bench.queueName });
    worker.events.on('problem', () => undefined);
    const error: unknown = await worker.start().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'BROKER_ACCESS_REFUSED' });
    expect(String(error)).not.toContain('wrong-secret');
    await worker.stop();
  });

  it('uses a durable quorum queue that exists with other arguments, and reports the difference', async () => {
    const problems = new Collector<string>();
    await bench.rabbit.use((channel) =>
      channel.assertQueue(bench.queueName, {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', 'x-max-length': 7 },
      }),
    );
    const worker = bench.worker(() => undefined);
    worker.events.on('problem', (problem) => problems.push(`${problem.code} ${problem.message}`));
    await worker.start();
    await bench.client().put({ type: 'fine' });
    await worker.seen.atLeast(1);
    expect(problems.values[0]).toMatch(/BROKER_TOPOLOGY_MISMATCH .*inequivalent arg 'x-/);
  });

  it.each([
    ['classic', { durable: true, arguments: { 'x-max-length': 7 } }],
    ['not durable', { durable: false, exclusive: true }],
  ])('rejects when the queue exists and cannot keep the promise: %s', async (_kind, options) => {
    await bench.rabbit.use(async (channel) => {
      await channel.assertQueue(bench.queueName, options);
      const worker = bench.worker(() => undefined);
      worker.events.on('problem', () => undefined);
      await expect(worker.start()).rejects.toMatchObject({
        code: 'BROKER_TOPOLOGY_MISMATCH',
        message: expect.stringContaining(bench.queueName) as string,
      });
    });
  });
});

describe('stop', () => {
  it('waits for the tasks that run, and gives nothing of them twice', async () => {
    const hold = gate();
    const worker = bench.worker(() => hold.opened, { capacity: 1 });
    await worker.start();
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(1);
    const stopped = worker.stop();
    hold.open();
    await stopped;
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });

  it.each<[string, (number: number) => number]>([
    ['together', () => 0],
    ['one after the other', (number) => number / 10],
    ['in any order', () => Math.random() * 30],
  ])('has told the broker of all that have succeeded, also when many end %s', async (_how, delayOfMs) => {
    const count = 200;
    const hold = gate();
    const worker = bench.worker(
      async ({ body }) => {
        await hold.opened;
        await pause(delayOfMs(Number(body['number'])));
      },
      { capacity: count },
    );
    await worker.start();
    const sender = bench.client();
    await Promise.all(Array.from({ length: count }, (_, number) => sender.put({ type: 'report', number })));
    await worker.seen.atLeast(count);
    const stopped = worker.stop();
    hold.open();
    await stopped;
    expect(await numbersThatCameBack(sender, 0)).toEqual([]);
  });

  it('gives back the one task that does not end, and none of the many beside it that have succeeded', async () => {
    const count = 200;
    const hold = gate();
    const worker = bench.worker(
      async ({ body, signal }) => {
        await hold.opened;
        if (body['number'] === 0) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
      { capacity: count, drainTimeoutMs: 300 },
    );
    await worker.start();
    const sender = bench.client();
    for (let number = 0; number < count; number++) await sender.put({ type: 'report', number });
    await worker.seen.atLeast(count);
    const stopped = worker.stop();
    hold.open();
    await stopped;
    expect(await numbersThatCameBack(sender, 1)).toEqual([0]);
  });

  it('leaves what it did not start in the queue, with its attempt number', async () => {
    const hold = gate();
    const sender = bench.client();
    const worker = bench.worker(() => hold.opened, { capacity: 1 });
    await worker.start();
    await sender.put({ type: 'first' });
    await worker.seen.atLeast(1);
    await sender.put({ type: 'second' });
    const stopped = worker.stop();
    hold.open();
    await stopped;
    const left = await bench.rabbit.take(bench.queueName);
    expect(left?.properties).toMatchObject({ type: 'second', headers: { 'x-attempt': 1 } });
  });

  it('waits no longer than its deadline: the task then goes to another worker', async () => {
    const stuck = bench.worker((task) => new Promise((resolve) => task.signal.addEventListener('abort', resolve)), {
      drainTimeoutMs: 100,
    });
    await stuck.start();
    await bench.client().put({ type: 'report' });
    await stuck.seen.atLeast(1);
    await stuck.stop();
    const other = bench.worker(() => undefined);
    await other.start();
    const [task] = await other.seen.atLeast(1);
    expect(task).toMatchObject({ type: 'report', attempt: 1 });
  });

  it('happens by itself at the end of an `await using` block', async () => {
    let client: WorkerClient;
    {
      await using scoped = new WorkerClient({
        rabbitUrl: rabbitUrl(),
        queueName: bench.queueName,
        retryDelaysMs: LEVELS_MS,
      });
      await scoped.put({ type: 'event' });
      client = scoped;
    }
    await expect(client.put({ type: 'event' })).rejects.toMatchObject({ code: 'PUBLISH_NOT_SENT' });
  });
});

describe('a broker that waits for an ack for a shorter time than a handler takes', () => {
  it('is told by the worker how long that is, and does not take the task away', async () => {
    await bench.rabbit.use((channel) =>
      channel.assertQueue(bench.queueName, {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', 'x-consumer-timeout': 1_000 },
      }),
    );
    const ended = new Collector<boolean>();
    const worker = bench.worker(async (task) => {
      await pause(4_000);
      ended.push(task.signal.aborted);
    });
    worker.events.on('problem', () => undefined);
    await worker.start();
    await bench.client().put({ type: 'slow' });
    expect(await ended.atLeast(1)).toEqual([false]);
    await worker.stop();
    expect(worker.seen.values).toHaveLength(1);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });
});

describe('a broker that closes the channel under a worker', () => {
  it('is quoted with its reason, and the task goes on with the same attempt number', async () => {
    const hold = gate();
    const worker = bench.worker(() => hold.opened);
    const problems = new Collector<string>();
    worker.events.on('problem', (problem) => problems.push(`${problem.code} ${problem.message}`));
    await worker.start();
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(1);
    const again = new Promise<void>((resolve) => worker.events.once('ready', resolve));
    // The next look for suspects is refused, and with it the channel.
    await bench.rabbit.use((channel) => channel.deleteQueue(suspectQueueOf(bench.queueName)));
    await again;
    expect(problems.values).toEqual([expect.stringMatching(/^BROKER_CHANNEL_LOST .*lost: .*NOT_FOUND - no queue/)]);
    expect(worker.seen.values[0]?.signal.aborted).toBe(true);
    hold.open();
    await worker.seen.atLeast(2);
    expect(worker.seen.values.map(({ attempt }) => attempt)).toEqual([1, 1]);
  });
});

describe('a broker that deletes the queue under a worker', () => {
  it('gets it declared again, and the worker comes back', async () => {
    const worker = bench.worker(() => undefined);
    const problems = new Collector<string>();
    worker.events.on('problem', (problem) => problems.push(problem.message));
    await worker.start();
    const again = new Promise<void>((resolve) => worker.events.once('ready', resolve));
    await bench.rabbit.use((channel) => channel.deleteQueue(bench.queueName));
    await again;
    expect(problems.values).toEqual([
      expect.stringMatching(/deleted or moved, or a task took longer than its consumer_timeout/),
    ]);
    await bench.client().put({ type: 'after' });
    await worker.seen.atLeast(1);
  });
});
