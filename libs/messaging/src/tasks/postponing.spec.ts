import { PostponeTask } from '../errors';
import { MemoryBroker } from '../testing';
import type { MemoryConnections } from '../testing/memory-connections';
import type { SettledAttempt } from './events';
import type { WorkerOptions } from './options';
import type { Task } from './task';
import { Worker } from './worker';
import { WorkerClient } from './worker-client';

const START_MS = Date.parse('2026-11-25T03:00:00Z');
const DAY_MS = 86_400_000;

let broker: MemoryBroker;
let connections: MemoryConnections;
let client: WorkerClient;
let worker: PostponingWorker;

/** Remembers when it saw a task. */
class PostponingWorker extends Worker {
  readonly seen: { attempt: number; atMs: number }[] = [];
  readonly settled: SettledAttempt[] = [];
  work: (task: Task) => unknown = () => undefined;

  override handler(task: Task): unknown {
    this.seen.push({ attempt: task.attempt, atMs: broker.clock.nowMs() - START_MS });
    return this.work(task);
  }
}

async function working(work: (task: Task) => unknown, options: Partial<WorkerOptions> = {}): Promise<void> {
  worker = new PostponingWorker({ connections, queueName: 'reports', maxAttempts: 2, ...options });
  worker.events.on('settled', (attempt) => worker.settled.push(attempt));
  worker.work = work;
  await worker.start();
}

beforeEach(() => {
  broker = new MemoryBroker(new Date(START_MS));
  connections = broker.connect();
  client = new WorkerClient({ connections, queueName: 'reports' });
});
afterEach(() => Promise.all([client.stop(), worker.stop()]));

it('a task that its handler postpones comes later, to the millisecond, as the same attempt', async () => {
  await working(() => {
    if (worker.seen.length < 3) throw new PostponeTask(61_500, 'Order 7 is locked.', { code: 'LOCKED' });
  });
  const id = await client.put({ type: 'report' });
  await broker.advance(200_000);
  expect(worker.seen).toEqual([0, 61_500, 123_000].map((atMs) => ({ attempt: 1, atMs })));
  const reason = { code: 'LOCKED', message: 'Order 7 is locked.' };
  const outcomes = [{ kind: 'postponed', delayMs: 61_500, reason }, { kind: 'postponed' }, { kind: 'success' }];
  expect(worker.settled).toMatchObject(outcomes.map((outcome) => ({ id, attempt: 1, outcome })));
});

it('its attempts go on where they were: a failure after a postponement is the first one', async () => {
  await working(({ attempt }) => {
    if (worker.seen.length === 1) throw new PostponeTask(5_000);
    if (attempt === 1) throw new Error('no');
    if (worker.seen.length === 3) throw new PostponeTask(5_000);
    throw new Error('never');
  });
  await client.put({ type: 'report' });
  await broker.advance(20_000);
  expect(worker.seen.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
  const [letter] = broker.messages('reports.dead');
  expect(letter?.headers).toMatchObject({ 'x-attempt': 2, 'x-execution': 4, 'x-error-message': 'Error: never' });
  const { attempts } = JSON.parse(String(letter?.headers['x-history'])) as { attempts: { attempt: number }[] };
  expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

it('a task that is postponed again and again ends after 30 days as a failure that says so', async () => {
  await working(() => {
    throw new PostponeTask(10 * DAY_MS, 'The report is not written yet.');
  });
  await client.put({ type: 'report' });
  await broker.advance(31 * DAY_MS);
  expect(worker.seen.map(({ atMs }) => atMs)).toEqual([0, 10 * DAY_MS, 20 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS + 1_000]);
  expect(broker.messages('reports.dead')).toMatchObject([
    { headers: { 'x-attempt': 2, 'x-error-code': 'POSTPONED_TOO_LONG' } },
  ]);
});

it('goes by the limits of its worker, and what its type wants for itself', async () => {
  await working(
    () => {
      throw new PostponeTask(0);
    },
    { maxAttempts: 1, postpone: { maxCount: 4 } },
  );
  await client.put({ type: 'report' });
  await broker.advance(1_000);
  expect(worker.seen).toHaveLength(5);
  expect(broker.messages('reports.dead')).toMatchObject([{ headers: { 'x-error-code': 'POSTPONED_TOO_LONG' } }]);
});

it('a forged count of postponements neither fails the worker nor lets a task go round for ever', async () => {
  await working(
    () => {
      throw new PostponeTask(0);
    },
    { maxAttempts: 1, postpone: { maxCount: 2 } },
  );
  for (const forged of ['1', -5, 1.5, 1e15])
    broker.send('reports', '{"type":"report"}', { headers: { 'x-postponed': forged, 'x-postponed-ms': forged } });
  await broker.advance(1_000);
  expect(worker.seen).toHaveLength(12);
  expect(broker.messages('reports.dead')).toHaveLength(4);
});
