import type { Message } from 'amqplib';
import { PostponeTask } from '../errors';
import { MemoryKeyStore } from '../key-stores/memory-key-store';
import { Scheduler } from '../schedules/scheduler';
import { MemoryBroker, type QueuedMessage } from '../testing';
import type { MemoryConnections } from '../testing/memory-connections';
import { identify } from './codec';
import type { WorkerOptions } from './options';
import { replayOf } from './settlement';
import type { Task } from './task';
import { Worker } from './worker';
import { WorkerClient } from './worker-client';

const START_MS = Date.parse('2026-11-25T03:00:00Z');

class ReportWorker extends Worker {
  readonly seen: Task[] = [];
  readonly started: Task[] = [];
  work: (task: Task) => unknown = () => undefined;

  override handler(task: Task): unknown {
    this.seen.push(task);
    return this.work(task);
  }
}

let broker: MemoryBroker;
let connections: MemoryConnections;
let client: WorkerClient;
let stopAfter: { stop(): Promise<void> }[] = [];

async function working(work: (task: Task) => unknown, options: Partial<WorkerOptions> = {}): Promise<ReportWorker> {
  const worker = new ReportWorker({ connections, queueName: 'reports', maxAttempts: 3, ...options });
  stopAfter.push(worker);
  worker.work = work;
  worker.events.on('started', (task) => worker.started.push(task));
  await worker.start();
  return worker;
}

beforeEach(() => {
  broker = new MemoryBroker(new Date(START_MS));
  connections = broker.connect();
  client = new WorkerClient({ connections, queueName: 'reports' });
  stopAfter = [client];
});
afterEach(() => Promise.all(stopAfter.map((each) => each.stop())));

const lettersOf = (): QueuedMessage[] => broker.messages('reports.dead');

it('a task that was not begun by then ends as dead, and its handler never hears of it', async () => {
  await client.put({ type: 'report', n: 1 }, { ttlMs: 60_000 });
  await client.put({ type: 'report', n: 2 }, { ttlMs: 60_001 });
  await broker.advance(60_000);
  const worker = await working(() => undefined);
  await broker.untilIdle();
  expect(worker.seen.map(({ body }) => body['n'])).toEqual([2]);
  expect(worker.started).toEqual(worker.seen);
  expect(lettersOf()).toMatchObject([
    { body: { n: 1 }, headers: { 'x-error-code': 'EXPIRED', 'x-attempt': 1, 'x-expires-at-ms': START_MS + 60_000 } },
  ]);
});

it('one that was begun in time may end later', async () => {
  let end: () => void = () => undefined;
  const worker = await working(() => new Promise<void>((resolve) => (end = resolve)));
  await client.put({ type: 'report' }, { ttlMs: 1_000 });
  await broker.advance(5_000, { whileBusy: true });
  end();
  await broker.untilIdle();
  expect([worker.seen.length, lettersOf()]).toEqual([1, []]);
});

it.each<[string, (task: Task) => unknown]>([
  [
    'failed',
    () => {
      throw new Error('no');
    },
  ],
  [
    'was postponed',
    () => {
      throw new PostponeTask(10_000);
    },
  ],
])('each execution has to begin in time, also of one that %s before', async (_what, work) => {
  const worker = await working(work);
  await client.put({ type: 'report' }, { ttlMs: 5_000 });
  await broker.advance(60_000);
  expect(worker.seen.length).toBeLessThan(3);
  expect(lettersOf()).toMatchObject([{ headers: { 'x-error-code': 'EXPIRED' } }]);
});

it('a delayed task keeps its expiry on the way', async () => {
  const worker = await working(() => undefined, { capacity: 1 });
  let end: () => void = () => undefined;
  worker.work = ({ type }) => (type === 'long' ? new Promise<void>((resolve) => (end = resolve)) : undefined);
  await client.put({ type: 'long' }, { delayMs: 61_000 });
  await client.put({ type: 'report' }, { delayMs: 61_500, ttlMs: 70_000 });
  await broker.advance(75_000, { whileBusy: true });
  end();
  await broker.untilIdle();
  expect(lettersOf()).toMatchObject([{ type: 'report', headers: { 'x-error-code': 'EXPIRED' } }]);
});

it('what has succeeded before comes again as a success, not as one that has expired', async () => {
  const keyStore = new MemoryKeyStore();
  const worker = await working(() => undefined, { keyStore });
  await client.put({ type: 'report' }, { id: 'order-1', ttlMs: 1_000 });
  await broker.untilIdle();
  broker.send('reports', '{"type":"report"}', { messageId: 'order-1', headers: { 'x-expires-at-ms': START_MS - 1 } });
  await broker.untilIdle();
  expect([worker.seen.length, lettersOf()]).toEqual([1, []]);
});

it('a replay takes the expiry away: it would be dead at once', async () => {
  await client.put({ type: 'report' }, { ttlMs: 1_000, tags: ['a'] });
  await broker.advance(1_000);
  const worker = await working(() => undefined);
  await broker.untilIdle();
  const [letter] = lettersOf();
  const properties = { messageId: letter?.id, headers: letter?.headers };
  const message = { content: letter?.content, fields: {}, properties } as unknown as Message;
  const replay = replayOf(message, identify(message), 'reports', { attempts: [], omitted: 0 }, START_MS);
  expect(replay.properties.headers).not.toHaveProperty('x-expires-at-ms');
  broker.send('reports', replay.content, replay.properties);
  await broker.untilIdle();
  expect(worker.seen).toHaveLength(1);
});

it('a forged expiry that no date can hold is none', async () => {
  const worker = await working(() => undefined);
  for (const forged of ['1', -1, 1.5, 1e17])
    broker.send('reports', '{"type":"report"}', { headers: { 'x-expires-at-ms': forged } });
  await broker.untilIdle();
  expect([worker.seen.length, lettersOf()]).toEqual([4, []]);
});

it('the ticks of a schedule expire each after its put', async () => {
  const schedules = [{ name: 'minutely', cron: '* * * * *', type: 'report', body: {}, ttlMs: 90_000 }];
  const scheduler = new Scheduler({ connections, queueName: 'reports', schedules });
  stopAfter.push(scheduler);
  await scheduler.start();
  await broker.advance(180_000);
  const worker = await working(() => undefined);
  await broker.untilIdle();
  expect(lettersOf().map(({ id }) => id)).toEqual(['minutely@2026-11-25T03:01:00.000Z']);
  expect(worker.seen.map(({ id }) => id)).toEqual(
    ['2', '3'].map((minute) => `minutely@2026-11-25T03:0${minute}:00.000Z`),
  );
});

it.each([0, -1, 1.5, '60000', 8.64e15])('a schedule is refused with a ttlMs of %p', (ttlMs) => {
  const schedules = [{ name: 'nightly', cron: '0 3 * * *', type: 'report', body: {}, ttlMs: ttlMs as number }];
  expect(() => new Scheduler({ connections, queueName: 'reports', schedules })).toThrow('ttlMs');
});
