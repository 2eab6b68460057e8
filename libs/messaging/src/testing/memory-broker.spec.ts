import { Worker, type Task } from '../index';
import { WorkerClient } from '../worker-client';
import { MemoryBroker } from './memory-broker';

const START = new Date('2026-11-25T02:59:00Z');

/** What the broker does with messages is told by the conformance suite; here is what only this one has. */
class ReportWorker extends Worker {
  readonly seen: Task[] = [];
  work: (task: Task) => unknown = () => undefined;

  override handler(task: Task): unknown {
    this.seen.push(task);
    return this.work(task);
  }
}

let broker: MemoryBroker;
let client: WorkerClient;
let worker: ReportWorker;

beforeEach(async () => {
  broker = new MemoryBroker(START);
  const connections = broker.connect();
  client = new WorkerClient({ connections, queueName: 'reports' });
  worker = new ReportWorker({ connections, queueName: 'reports', maxAttempts: 3, drainTimeoutMs: 100 });
  await worker.start();
});

afterEach(() => Promise.all([client.stop(), worker.stop()]));

describe('the clock', () => {
  it('begins where it is told, and tasks go by it', async () => {
    await client.put({ type: 'report' });
    await broker.advance(5_000);
    worker.work = () => {
      throw new Error('no');
    };
    await client.put({ type: 'report' });
    await broker.untilIdle();
    expect(worker.seen.map(({ enqueuedAtMs }) => enqueuedAtMs - START.getTime())).toEqual([0, 5_000]);
    expect(broker.messages('reports.retry.1000')).toMatchObject([
      { headers: { 'x-last-failed-at-ms': START.getTime() + 5_000 } },
    ]);
  });

  it('brings back what failed, attempt after attempt, in no time', async () => {
    const atMs: number[] = [];
    worker.work = () => {
      atMs.push(broker.clock.nowMs() - START.getTime());
      throw new Error('no');
    };
    await client.put({ type: 'report' });
    await broker.advance(60_000);
    expect(atMs).toEqual([0, 1_000, 11_000]);
    expect(broker.messages('reports.dead')).toMatchObject([{ type: 'report', headers: { 'x-attempt': 3 } }]);
  });

  it('makes a task that waits for 30 days due to the millisecond', async () => {
    const delayMs = 30 * 86_400_000;
    await client.put({ type: 'report' }, { delayMs });
    await broker.advance(delayMs - 1);
    expect(worker.seen).toEqual([]);
    await broker.advance(1);
    expect(worker.seen).toHaveLength(1);
  });

  it('waits on its way for handlers that take time of the process', async () => {
    worker.work = async ({ attempt }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (attempt < 3) throw new Error('no');
    };
    await client.put({ type: 'report' });
    await broker.advance(11_000);
    expect(worker.seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it('moves past a handler that a test holds, if that is wanted', async () => {
    let end: () => void = () => undefined;
    worker.work = ({ type }) => (type === 'held' ? new Promise<void>((resolve) => (end = resolve)) : undefined);
    await client.put({ type: 'held' });
    await client.put({ type: 'later' }, { delayMs: 3_000 });
    await broker.advance(3_000, { whileBusy: true });
    expect(worker.seen.map(({ type }) => type)).toEqual(['held', 'later']);
    end();
    await broker.untilIdle();
  });
});

describe('untilIdle', () => {
  it('waits for what is delivered, runs and comes of it', async () => {
    worker.work = async ({ body }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (Number(body['left']) > 0) await client.put({ type: 'report', left: Number(body['left']) - 1 });
    };
    await client.put({ type: 'report', left: 5 });
    await broker.untilIdle();
    expect(worker.seen.map(({ body }) => body['left'])).toEqual([5, 4, 3, 2, 1, 0]);
    expect(worker.runningCount).toBe(0);
  });

  it('says which queue is busy when that does not end', async () => {
    worker.work = ({ signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await client.put({ type: 'report' });
    await expect(broker.untilIdle(50)).rejects.toMatchObject({
      code: 'STILL_BUSY',
      message: expect.stringContaining('reports') as string,
    });
  });

  it('says so when it is never quiet', async () => {
    worker.work = () => client.put({ type: 'report' });
    await client.put({ type: 'report' });
    await expect(broker.untilIdle(50)).rejects.toMatchObject({ code: 'STILL_BUSY' });
  });
});

describe('messages', () => {
  it('shows what waits, also what no client would put', async () => {
    await worker.stop();
    broker.send('reports', '{"type":"report","n":1}');
    broker.send('reports', 'garbage', { type: 'odd', headers: { a: 1 } });
    broker.send('nowhere', 'gone');
    const id = await client.put({ n: 2 }, { type: 'report' });
    expect(broker.messages('reports')).toMatchObject([
      { type: 'report', body: { type: 'report', n: 1 } },
      { type: 'odd', body: undefined, content: Buffer.from('garbage'), headers: { a: 1 } },
      { id, type: 'report', body: { n: 2 }, headers: { 'x-attempt': 1 } },
    ]);
    expect(broker.messages('nowhere')).toEqual([]);
  });
});

describe('connections', () => {
  it('that are closed leave those of others alone', async () => {
    const other = broker.connect();
    const second = new WorkerClient({ connections: other, queueName: 'reports' });
    await second.put({ type: 'report' });
    await other.close();
    expect(second.problem).toBeDefined();
    await client.put({ type: 'report' });
    await broker.untilIdle();
    expect(worker.seen).toHaveLength(2);
    await second.stop();
  });
});
