import { EventBus, Scheduler, Worker, type Task } from '../index';
import { WorkerClient } from '../tasks/worker-client';
import { MemoryBroker } from './memory-broker';
import type { MemoryConnections } from './memory-connections';

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

const DAY_MS = 86_400_000;
const untilAborted = ({ signal }: Task) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
const pause = (timeoutMs: number) => new Promise<void>((resolve) => setTimeout(resolve, timeoutMs));

let broker: MemoryBroker;
let connections: MemoryConnections;
let client: WorkerClient;
let worker: ReportWorker;

beforeEach(async () => {
  broker = new MemoryBroker(START);
  connections = broker.connect();
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
    const delayMs = 30 * DAY_MS;
    await client.put({ type: 'report' }, { delayMs });
    await broker.advance(delayMs - 1);
    expect(worker.seen).toEqual([]);
    await broker.advance(1);
    expect(worker.seen).toHaveLength(1);
  });

  it('waits on its way for handlers that take time of the process', async () => {
    worker.work = async ({ attempt }) => {
      await pause(20);
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

  it('passes a month of a daily schedule in no time', async () => {
    const schedules = [{ name: 'nightly', cron: '0 3 * * *', timeZone: 'UTC', type: 'report', body: {} }];
    const scheduler = new Scheduler({ connections, queueName: 'reports', schedules });
    await scheduler.start();
    await broker.advance(30 * DAY_MS);
    await scheduler.stop();
    expect(worker.seen).toHaveLength(30);
    expect(worker.seen[29]?.enqueuedAtMs).toBe(Date.parse('2026-12-24T03:00:00Z'));
  }, 5_000);

  it('is moved by calls at the same time one after the other', async () => {
    await client.put({ type: 'report' }, { delayMs: 1_500 });
    await Promise.all([broker.advance(1_000), broker.advance(1_000)]);
    expect(broker.clock.nowMs()).toBe(START.getTime() + 2_000);
    expect(worker.seen).toHaveLength(1);
  });

  it.each([-1, NaN, Infinity, '5' as unknown as number])('is not moved by %p ms', async (timeMs) => {
    await expect(broker.advance(timeMs)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await broker.advance(1);
    expect(broker.clock.nowMs()).toBe(START.getTime() + 1);
  });

  it('begins at no date that is none', () => {
    expect(() => new MemoryBroker(new Date('nonsense'))).toThrow('startAt must be a valid date');
  });

  it('is what events are dated by', async () => {
    const channel = await connections.consuming.openChannel();
    const bus = new EventBus({ connections, name: 'alerts' });
    await channel.assertExchange('alerts', 'direct', { durable: true });
    await channel.assertQueue('heard');
    await channel.bindQueue('heard', 'alerts', 'info');
    await bus.publish('info', {});
    const event = await channel.get('heard', { noAck: true });
    expect(event && event.properties.timestamp).toBe(START.getTime() / 1_000);
    await bus.stop();
  });
});

describe('untilIdle', () => {
  it('waits for what is delivered, runs and comes of it', async () => {
    worker.work = async ({ body }) => {
      await pause(5);
      if (Number(body['left']) > 0) await client.put({ type: 'report', left: Number(body['left']) - 1 });
    };
    await client.put({ type: 'report', left: 5 });
    await broker.untilIdle();
    expect(worker.seen.map(({ body }) => body['left'])).toEqual([5, 4, 3, 2, 1, 0]);
    expect(worker.runningCount).toBe(0);
  });

  it('says which queue is busy when that does not end', async () => {
    worker.work = untilAborted;
    await client.put({ type: 'report' });
    await expect(broker.untilIdle({ timeoutMs: 50 })).rejects.toMatchObject({
      code: 'STILL_BUSY',
      message: expect.stringContaining('reports') as string,
    });
  });

  describe('with a delayed task in hand', () => {
    const take = async (remainingMs: number) => {
      await worker.stop();
      const channel = await connections.consuming.openChannel();
      await channel.consume('reports.due', () => undefined);
      broker.send('reports.due', '{}', { headers: { 'x-not-before-ms': START.getTime() + remainingMs } });
    };

    it('does not wait for one that is held for its last moment', async () => {
      await take(500);
      await broker.untilIdle();
    });

    it.each([
      ['is due', 0],
      ['has a level to go to', 5_000],
    ])('waits for one that %s: it is on its way', async (_what, remainingMs) => {
      await take(remainingMs);
      await expect(broker.untilIdle({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'STILL_BUSY' });
    });
  });

  it('waits as long as tasks end, however many there are', async () => {
    await worker.stop();
    worker = new ReportWorker({ connections, queueName: 'reports', capacity: 1 });
    // Together longer than the timeout, each far from it.
    worker.work = () => pause(100);
    await worker.start();
    for (let number = 0; number < 8; number++) await client.put({ type: 'report' });
    await broker.untilIdle({ timeoutMs: 700 });
    expect(worker.seen).toHaveLength(8);
  });

  it('goes by the real time, whatever a test has faked', async () => {
    worker.work = untilAborted;
    await client.put({ type: 'report' });
    jest.useFakeTimers();
    try {
      await expect(broker.untilIdle({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'STILL_BUSY' });
    } finally {
      jest.useRealTimers();
    }
  });

  it('says so when it is never quiet', async () => {
    worker.work = () => client.put({ type: 'report' });
    await client.put({ type: 'report' });
    const neverQuiet = {
      code: 'STILL_BUSY',
      message: expect.stringContaining('do tasks put tasks') as string,
    };
    await expect(broker.untilIdle({ timeoutMs: 20 })).rejects.toMatchObject(neverQuiet);
    await expect(broker.advance(1, { timeoutMs: 20, whileBusy: true })).rejects.toMatchObject(neverQuiet);
  });
});

describe('what a callback throws', () => {
  it('is thrown, and costs the others of its turn nothing', async () => {
    const thrown: unknown[] = [];
    const catching = (work: () => void) =>
      void Promise.resolve()
        .then(work)
        .catch((error: unknown) => thrown.push(error));
    const spy = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation(catching);
    const channel = await connections.consuming.openChannel();
    await channel.assertQueue('heard');
    channel.publish('', 'heard', Buffer.from('a'), {}, () => {
      throw new Error('of a confirm');
    });
    channel.sendToQueue('heard', Buffer.from('b'));
    await channel.waitForConfirms();
    const heard: string[] = [];
    await channel.consume('heard', (message) => {
      heard.push(String(message?.content));
      throw new Error('of a consumer');
    });
    await broker.untilIdle({ timeoutMs: 50 }).catch(() => undefined);
    spy.mockRestore();
    expect(heard).toEqual(['a', 'b']);
    expect(thrown.map(String)).toEqual(['Error: of a confirm', 'Error: of a consumer', 'Error: of a consumer']);
  });

  it('is thrown to the caller where it is his message', () => {
    expect(() => broker.send('reports', undefined as unknown as string)).toThrow(/must be of type string/);
  });
});

describe('exchanges', () => {
  it('may be each the alternate of the other', async () => {
    const channel = await connections.consuming.openChannel();
    await channel.assertExchange('one', 'direct', { alternateExchange: 'other' });
    await channel.assertExchange('other', 'direct', { alternateExchange: 'one' });
    const returned = new Promise((resolve) => channel.once('return', resolve));
    channel.publish('one', 'nobody', Buffer.from('x'), { mandatory: true });
    expect(await returned).toMatchObject({ fields: { replyText: 'NO_ROUTE' } });
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
  it('that were cut are over only when what was in hand has come again, and has ended', async () => {
    worker.events.on('problem', () => undefined);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    worker.work = () => gate;
    const started = new Promise((resolve) => worker.events.once('started', resolve));
    await client.put({ type: 'report' });
    await client.put({ type: 'report' }, { delayMs: 500 });
    await started;
    for (let cuts = 1; cuts <= 2; cuts++) {
      connections.cut();
      open();
      await broker.untilIdle();
      expect([worker.problem, worker.runningCount]).toEqual([undefined, 0]);
    }
    await client.put({ type: 'report' });
    await broker.advance(500);
    expect(worker.seen.map(({ headers }) => headers['x-delivery-count'])).toEqual([undefined, 1, undefined, undefined]);
  });

  it('that were cut are over only when schedulers and subscribers are back', async () => {
    const other = broker.connect();
    const bus = new EventBus({ connections: other, name: 'alerts' });
    bus.events.on('problem', () => undefined);
    const heard: unknown[] = [];
    await bus.subscribe([{ key: 'info' }], ({ data }) => heard.push(data)).ready;
    const schedules = [{ name: 'pulse', cron: '* * * * * *', type: 'beat', body: {} }];
    const scheduler = new Scheduler({ connections: other, queueName: 'reports', schedules });
    scheduler.events.on('problem', () => undefined);
    await scheduler.start();
    await broker.untilIdle();
    other.cut();
    await broker.advance(1_000);
    await bus.publish('info', { n: 1 });
    await broker.untilIdle();
    expect([worker.seen.map(({ type }) => type), heard]).toEqual([['beat'], [{ n: 1 }]]);
    await Promise.all([bus.stop(), scheduler.stop()]);
  });

  it('that were cut and whose worker was stopped are missed once, unless they are closed', async () => {
    connections.cut();
    await worker.stop();
    await expect(broker.untilIdle({ timeoutMs: 20 })).rejects.toMatchObject({
      code: 'STILL_BUSY',
      message: expect.stringContaining('nobody has come back to reports') as string,
    });
    await broker.untilIdle({ timeoutMs: 20 });
    const other = broker.connect();
    worker = new ReportWorker({ connections: other, queueName: 'reports' });
    await worker.start();
    other.cut();
    await Promise.all([worker.stop(), other.close()]);
    await broker.untilIdle({ timeoutMs: 20 });
  });

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
