import { WorkerClient, delayQueueOf, dueQueueOf, type Task } from '@mercury/messaging';
import { acquireBroker } from '../../tools/broker';
import { Proxy } from '../faults/proxy';
import { rabbitUrl } from '../support/rabbit';
import { Collector, gate, until } from '../support/until';
import { TestWorker, Workbench } from '../support/workbench';

const MOST_LATE_MS = 1_000;
const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
const OWN_BROKER_TIMEOUT_MS = 120_000;

const bench = new Workbench([100]);

let runs: Collector<{ id: string; lateMs: number }>;
let client: WorkerClient;
/** When the put of each was answered, in milliseconds after the time of the task; below zero for most. */
const storedMs = new Map<string, number>();

beforeEach(async () => {
  runs = new Collector();
  client = bench.client();
  // Connecting would take from the delays.
  const ready = new Promise<void>((resolve) => client.events.once('ready', resolve));
  client.start();
  await ready;
});

const note = (task: Task) => runs.push({ id: task.id, lateMs: Date.now() - Number(task.body['runAt']) });

const put = async (delayMs: number, by = client) => {
  const runAt = Date.now() + delayMs;
  const id = await by.put({ type: 'report', runAt }, { runAt });
  storedMs.set(id, Date.now() - runAt);
  return id;
};

const putAll = (delaysMs: readonly number[]) => Promise.all(delaysMs.map((delayMs) => put(delayMs)));

/** Each exactly once, none early, none late: counted from its time, or from when it was stored if that was later. */
async function untilOnTime(ids: readonly string[], mostLateMs = MOST_LATE_MS): Promise<void> {
  await runs.atLeast(ids.length, 25_000);
  expect(runs.values.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(Math.min(...runs.values.map(({ lateMs }) => lateMs))).toBeGreaterThanOrEqual(0);
  const late = runs.values.map(({ id, lateMs }) => lateMs - Math.max(0, storedMs.get(id) ?? 0));
  expect(Math.max(...late)).toBeLessThanOrEqual(mostLateMs);
}

/** A task on its way, as a foreign program may have put it there. */
const sendToDue = (header: unknown, id: string) =>
  bench.rabbit.send(dueQueueOf(bench.queueName), '{"type":"report"}', {
    messageId: id,
    persistent: true,
    headers: header === undefined ? {} : { 'x-not-before-ms': header },
  });

const depthOf = (queue: string) => bench.rabbit.depth(queue);

describe('a delayed task', () => {
  it('runs no earlier than its time and at most a second later, whatever the delay', async () => {
    await bench.worker(note).start();
    const random = Array.from({ length: 300 }, () => Math.round(Math.random() * 15 * SECOND_MS));
    await untilOnTime(await putAll([0, 1, 999, 1_000, 1_001, 1_999, 2_000, 9_999, 10_000, 10_001, 11_500, ...random]));
  });

  it('runs after so many milliseconds as well as at a time, and the handler sees a task like any other', async () => {
    const worker = bench.worker(note);
    await worker.start();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const putAtMs = Date.now();
    const id = await client.put({ type: 'report', pages: 3 }, { id: 'order-1', delayMs: 1_100, traceparent });
    const [task] = await worker.seen.atLeast(1);
    expect(Date.now() - putAtMs).toBeGreaterThanOrEqual(1_100);
    expect(task).toMatchObject({ id, type: 'report', body: { type: 'report', pages: 3 }, attempt: 1 });
    expect(Object.keys(task!.headers).sort()).toEqual(['traceparent', 'x-attempt', 'x-enqueued-at-ms']);
    expect(task!.enqueuedAtMs - putAtMs).toBeLessThan(1_000);
  });

  it('is executed once by one of two workers', async () => {
    const workers = [bench.worker(note), bench.worker(note)];
    await Promise.all(workers.map((worker) => worker.start()));
    await untilOnTime(await putAll(Array.from({ length: 100 }, (_, number) => 30 * number)));
    for (const worker of workers) expect(worker.seen.values.length).toBeGreaterThan(0);
  });

  it('waits in the queue of due tasks while no worker runs, and is executed when one comes', async () => {
    const ids = await putAll([200, 900, 1_100, 1_900]);
    await until('all are back from their levels', async () => (await depthOf(dueQueueOf(bench.queueName))) === 4);
    await bench.worker(note).start();
    await untilOnTime(ids, Infinity);
  });

  it('comes to the work queue in time while all slots of the worker are busy', async () => {
    const hold = gate();
    const worker = bench.worker(() => hold.opened, { capacity: 1 });
    await worker.start();
    await client.put({ type: 'busy' });
    await worker.seen.atLeast(1);
    const lastAtMs = Date.now() + 2_500;
    await putAll([300, 1_200, 2_500]);
    await until('all wait for a free slot', async () => (await depthOf(bench.queueName)) === 3);
    expect(Date.now() - lastAtMs).toBeLessThanOrEqual(MOST_LATE_MS);
    expect(worker.runningCount).toBe(1);
    hold.open();
  });

  it('is never seen early by a foreign consumer of the work queue', async () => {
    const hold = gate();
    const worker = bench.worker(() => hold.opened, { capacity: 1 });
    await worker.start();
    await client.put({ type: 'busy' });
    await worker.seen.atLeast(1);
    await bench.rabbit.use(async (channel) => {
      const seen = new Collector<Record<string, unknown>>();
      const onMessage = (
        message: { content: Buffer; properties: { messageId?: unknown; headers?: object } } | null,
      ) => {
        const { runAt } = JSON.parse(String(message?.content)) as { runAt: number };
        runs.push({ id: String(message?.properties.messageId), lateMs: Date.now() - runAt });
        seen.push({ ...message?.properties.headers });
      };
      await channel.consume(bench.queueName, onMessage, { noAck: true });
      await untilOnTime(await putAll([0, 500, 1_000, 1_500, 2_300, 3_100]));
      for (const headers of seen.values) expect(Object.keys(headers).sort()).toEqual(['x-attempt', 'x-enqueued-at-ms']);
    });
    hold.open();
  });

  it('is not lost when the worker that holds it stops, and the next one runs it in time', async () => {
    const first = bench.worker(note);
    await first.start();
    const ids = await putAll(Array.from({ length: 20 }, () => 950));
    await until('all are held', async () => (await depthOf(dueQueueOf(bench.queueName))) === 0);
    await first.stop();
    // The broker has them back a moment after the channel is closed.
    const heldCount = 20 - runs.values.length;
    await until('they are back', async () => (await depthOf(dueQueueOf(bench.queueName))) === heldCount);
    await bench.worker(note).start();
    await untilOnTime(ids);
  });

  it('goes on after its worker has lost the connection', async () => {
    const proxy = await Proxy.open(Number(new URL(rabbitUrl()).port || 5672));
    const url = new URL(rabbitUrl());
    url.host = `127.0.0.1:${proxy.port}`;
    const worker = bench.worker(note, { rabbitUrl: url.href });
    worker.events.on('problem', () => undefined);
    await worker.start();
    await putAll([800, 1_500, 2_500, 3_500]);
    proxy.resetAll();
    await until('each has run', () => new Set(runs.values.map(({ id }) => id)).size === 4);
    expect(Math.min(...runs.values.map(({ lateMs }) => lateMs))).toBeGreaterThanOrEqual(0);
    await worker.stop();
    await proxy.close();
  });

  it(
    'survives that the broker is killed and started again, and runs in time',
    async () => {
      const broker = await acquireBroker();
      const options = { rabbitUrl: broker.amqpUrl, queueName: bench.queueName, retryDelaysMs: bench.retryDelaysMs };
      const own = new WorkerClient(options);
      const worker = new TestWorker(bench.queueName, bench.retryDelaysMs, note, options);
      worker.events.on('problem', () => undefined);
      own.events.on('problem', () => undefined);
      try {
        await worker.start();
        const [first, ...ids] = await Promise.all(
          [1_200, 2_500, 4_000, 25_000, 26_500].map((delayMs) => put(delayMs, own)),
        );
        const have = () => new Set(runs.values.map(({ id }) => id));
        // Not at once: a broker that dies within half a second of declaring its first queues may forget them.
        await until('the first has run', () => have().has(first!));
        await broker.kill();
        await broker.start();
        await until('all have run', () => ids.every((id) => have().has(id)), 40_000);
        for (const { id, lateMs } of runs.values) {
          expect(lateMs).toBeGreaterThanOrEqual(0);
          // The last two had their time after the broker was back.
          if (id === ids[2] || id === ids[3]) expect(lateMs).toBeLessThanOrEqual(MOST_LATE_MS);
        }
      } finally {
        await Promise.all([own.stop(), worker.stop()]);
        await broker.release();
      }
    },
    OWN_BROKER_TIMEOUT_MS,
  );
});

describe('a long delay', () => {
  it('waits on the broker alone, in the longest level that is not too long', async () => {
    await client.put({ type: 'report' }, { delayMs: 30 * DAY_MS });
    await client.put({ type: 'report' }, { runAt: new Date(Date.now() + 7 * 3_600_000) });
    await bench.worker(note).start();
    expect(await depthOf(delayQueueOf(bench.queueName, DAY_MS))).toBe(1);
    expect(await depthOf(delayQueueOf(bench.queueName, 21_600_000))).toBe(1);
  });

  it.each([
    [29.5 * DAY_MS, DAY_MS],
    [DAY_MS - 1_000, 21_600_000],
    [2.5 * 3_600_000, 3_600_000],
    [11 * 60_000, 600_000],
    [65_000, 60_000],
    [11_000, 10_000],
  ])('of %d ms goes on to the level of %d ms, without what the broker wrote', async (leftMs, levelMs) => {
    await bench.worker(note).start();
    const level = delayQueueOf(bench.queueName, levelMs);
    const notBeforeMs = Math.round(Date.now() + leftMs);
    await sendToDue(notBeforeMs, 'long');
    await until(`it is in ${level}`, async () => (await depthOf(level)) === 1);
    const message = await bench.rabbit.take(level);
    expect(message?.properties).toMatchObject({ messageId: 'long', deliveryMode: 2 });
    const { 'x-attempt': attempt, 'x-not-before-ms': kept, ...others } = message?.properties.headers ?? {};
    expect([attempt, kept]).toEqual([1, notBeforeMs]);
    // RabbitMQ 3.10 counts from 0 what is asked for.
    delete others['x-delivery-count'];
    expect(Object.keys(others)).toEqual(['x-enqueued-at-ms']);
  });
});

describe('a message in the queue of due tasks', () => {
  it.each<[string, unknown]>([
    ['without a time', undefined],
    ['with a time that is no number', 'tomorrow'],
    ['with a time in microseconds', Date.now() * 1_000],
    ['with a time that is past', 1],
  ])('is executed at once, once: %s', async (_what, header) => {
    const worker = bench.worker(note);
    await worker.start();
    await sendToDue(header, 'foreign');
    await worker.seen.atLeast(1);
    await client.put({ type: 'after' });
    await worker.seen.atLeast(2);
    expect(worker.seen.values.map(({ id, type }) => (type === 'after' ? type : id))).toEqual(['foreign', 'after']);
    expect(await depthOf(dueQueueOf(bench.queueName))).toBe(0);
  });

  it('becomes a dead letter like any other when it is no task', async () => {
    await bench.worker(note).start();
    await bench.rabbit.send(dueQueueOf(bench.queueName), Buffer.from([0xff, 0x00]));
    await until('the dead letter', async () => (await depthOf(`${bench.queueName}.dead`)) === 1);
  });
});

describe('queues that are gone or full', () => {
  it('the queue of due tasks is declared again, and the worker goes on with it', async () => {
    const worker = bench.worker(note);
    worker.events.on('problem', () => undefined);
    await worker.start();
    await bench.rabbit.use((channel) => channel.deleteQueue(dueQueueOf(bench.queueName)));
    await until('it is back', async () => (await depthOf(dueQueueOf(bench.queueName))) !== undefined);
    await untilOnTime([await put(1_300)]);
    expect(worker.problem).toBeUndefined();
  });

  it('a level is declared again for the task that needs it', async () => {
    const worker = bench.worker(note);
    worker.events.on('problem', () => undefined);
    await worker.start();
    await bench.rabbit.use((channel) => channel.deleteQueue(delayQueueOf(bench.queueName, 10_000)));
    await sendToDue(Date.now() + 15_000, 'a');
    await until('it waits there', async () => (await depthOf(delayQueueOf(bench.queueName, 10_000))) === 1);
    await until('nothing is held', () => worker.problem === undefined);
  });

  it('a full work queue keeps due tasks waiting, unlost, and readiness says so', async () => {
    await bench.rabbit.use((channel) => channel.deleteQueue(bench.queueName));
    await bench.rabbit.use((channel) =>
      channel.assertQueue(bench.queueName, {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', 'x-max-length': 2, 'x-overflow': 'reject-publish' },
      }),
    );
    const hold = gate();
    const worker = bench.worker(() => hold.opened, { capacity: 1 });
    worker.events.on('problem', () => undefined);
    await worker.start();
    await client.put({ type: 'busy' });
    await worker.seen.atLeast(1);
    const ids = await putAll(Array.from({ length: 20 }, (_, number) => 500 + 100 * number));
    await until('the worker holds some', () => /wait to be stored/.test(worker.problem?.message ?? ''));
    hold.open();
    await until('all have run', () => worker.seen.values.length > ids.length, 20_000);
    expect(new Set(worker.seen.values.map(({ id }) => id)).size).toBe(1 + ids.length);
    expect(worker.seen.values).toHaveLength(1 + ids.length);
    await until('nothing is held', () => worker.problem === undefined);
  });
});
