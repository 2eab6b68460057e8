import { getEventListeners } from 'node:events';
import { gate, until } from '../../../../test/support/until';
import { Publisher } from '../broker/publisher';
import { retryQueueOf } from '../broker/topology';
import { MemoryKeyStore } from '../key-stores/memory-key-store';
import { MemoryBroker } from '../testing';
import type { Queue } from '../testing/broker/queue';
import { MemoryChannel } from '../testing/memory-channel';
import type { MemoryConnections } from '../testing/memory-connections';
import type { Task } from './task';
import { Worker } from './worker';
import { WorkerClient } from './worker-client';

let broker: MemoryBroker;
let connections: MemoryConnections;
let client: WorkerClient;

beforeEach(() => {
  broker = new MemoryBroker();
  connections = broker.connect();
  client = new WorkerClient({ connections, queueName: 'reports' });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await client.stop();
  await Promise.all(stopAfter.splice(0).map((worker) => worker.stop()));
});

const stopAfter: Worker[] = [];

function stopLater<Kind extends Worker>(worker: Kind): Kind {
  stopAfter.push(worker);
  return worker;
}

class ReportWorker extends Worker {
  work: (task: Task) => unknown = () => undefined;
  override handler(task: Task): unknown {
    return this.work(task);
  }
}

function queueOf(name: string): Queue {
  const { virtualHost } = broker as unknown as { virtualHost: { queues: Map<string, Queue> } };
  return virtualHost.queues.get(name)!;
}

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
};

it('a task is acknowledged only when it is remembered that it has succeeded', async () => {
  const { opened, open: remember } = gate();
  const keyStore = new (class extends MemoryKeyStore {
    override async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
      await opened;
      return super.setIfAbsent(key, value, ttlMs);
    }
  })();
  const worker = new ReportWorker({ connections, queueName: 'reports', keyStore });
  const settled: unknown[] = [];
  worker.events.on('settled', ({ id }) => settled.push(id));
  await worker.start();
  const id = await client.put({}, { type: 'report' });
  await turns();
  expect(settled).toEqual([]);
  remember();
  await broker.untilIdle();
  expect(settled).toEqual([id]);
  await worker.stop();
});

it('tells the handlers of a lost connection to stop: somebody else will do their work', async () => {
  const { opened, open } = gate();
  const worker = new ReportWorker({ connections, queueName: 'reports' });
  worker.events.on('problem', () => undefined);
  const signals: AbortSignal[] = [];
  worker.work = ({ signal }) => (signals.push(signal), opened);
  await worker.start();
  await client.put({}, { type: 'report' });
  await until('it runs', () => signals.length === 1);
  connections.cut();
  await until('it is told', () => signals[0]?.aborted === true);
  expect(signals[0]?.reason).toMatchObject({ code: 'BROKER_CHANNEL_LOST' });
  open();
  await worker.stop();
});

it('tells the broker of the longest time that any of its handlers may take', async () => {
  const consume = jest.spyOn(MemoryChannel.prototype, 'consume');
  class SlowWorker extends ReportWorker {
    protected override longestTimeoutMs(): number {
      return 7_200_000;
    }
  }
  const worker = new SlowWorker({ connections, queueName: 'reports', handlerTimeoutMs: 1_000 });
  worker.events.on('problem', () => undefined);
  await worker.start();
  const [, , options] = consume.mock.calls.find(([name]) => name === 'reports') ?? [];
  const { 'x-consumer-timeout': timeoutMs } = options?.arguments as Record<string, number>;
  expect(timeoutMs).toBeGreaterThan(7_200_000);
  await worker.stop();
});

describe('a worker that stops', () => {
  it('gives back at once what waits for a slot, also while handlers of a lost connection still run', async () => {
    const { opened, open } = gate();
    const worker = new ReportWorker({ connections, queueName: 'reports', capacity: 1 });
    worker.events.on('problem', () => undefined);
    worker.work = () => opened;
    await worker.start();
    await client.put({}, { type: 'report' });
    await until('it runs', () => worker.runningCount === 1);
    connections.cut();
    const { slots } = worker as unknown as { slots: { waiting: unknown[] } };
    await until('it came again', () => slots.waiting.length === 1);
    const stopping = worker.stop();
    await until('it is given back', () => queueOf('reports').readyCount === 1);
    expect(worker.runningCount).toBe(1);
    open();
    await stopping;
  });

  it('gives back, and tells as no attempt, what it could not ask for whether it has succeeded', async () => {
    const keyStore = new (class extends MemoryKeyStore {
      override get(): Promise<string | undefined> {
        return Promise.reject(new Error('away'));
      }
    })();
    const worker = new ReportWorker({ connections, queueName: 'reports', keyStore });
    const settled: unknown[] = [];
    worker.events.on('settled', ({ id }) => settled.push(id));
    worker.events.on('problem', () => undefined);
    await worker.start();
    await client.put({}, { type: 'report' });
    await until('it asks', () => worker.problem?.code === 'KEY_STORE_UNAVAILABLE');
    await worker.stop();
    expect(settled).toEqual([]);
    expect(broker.messages('reports')).toMatchObject([{ headers: { 'x-attempt': 1 } }]);
  });

  it('waits until the delayed tasks on their way have arrived, and leaves no second of any', async () => {
    const worker = new ReportWorker({ connections, queueName: 'reports' });
    await worker.start();
    const { opened, open } = gate();
    await client.put({}, { type: 'report', delayMs: 1_000 });
    const publish = Publisher.prototype.publish;
    const sent = jest.spyOn(Publisher.prototype, 'publish').mockImplementation(async function (
      this: Publisher,
      message,
    ) {
      await opened;
      return publish.call(this, message);
    });
    void broker.advance(1_000, { whileBusy: true });
    await until('it is on its way', () => sent.mock.calls.length === 1);
    let isStopped = false;
    const stopping = worker.stop().then(() => (isStopped = true));
    await turns();
    expect(isStopped).toBe(false);
    open();
    await stopping;
    expect([queueOf('reports').readyCount, queueOf('reports.due').readyCount]).toEqual([1, 0]);
  });
});

it('a retry level that was deleted is declared again, and the task waits there', async () => {
  const worker = new ReportWorker({ connections, queueName: 'reports' });
  worker.events.on('problem', () => undefined);
  worker.work = () => {
    throw new Error('no');
  };
  await worker.start();
  // The client has declared everything by then.
  await client.put({}, { type: 'report' });
  await broker.untilIdle();
  const channel = await connections.consuming.openChannel();
  await channel.deleteQueue(retryQueueOf('reports', 1_000));
  await client.put({}, { type: 'report' });
  await broker.untilIdle();
  expect(broker.messages(retryQueueOf('reports', 1_000))).toHaveLength(1);
  expect(worker.problem).toBeUndefined();
  await worker.stop();
});

it('what a worker has done leaves nothing behind: no listener, no timer, no entry', async () => {
  const worker = new ReportWorker({ connections, queueName: 'reports', retryDelaysMs: [1_000], maxAttempts: 2 });
  let number = 0;
  worker.work = () => {
    if (number++ % 2 === 0) throw new Error('no');
  };
  await worker.start();
  const inside = worker as unknown as {
    leaving: AbortController;
    stopped: AbortController;
    consuming: { current: { deliveries: { lost: AbortSignal } } };
    settlement: { held: Map<unknown, unknown> };
    slots: { running: Set<unknown>; waiting: unknown[] };
  };
  const left = () => [
    ...[inside.leaving.signal, inside.stopped.signal, inside.consuming.current.deliveries.lost].map(
      (signal) => getEventListeners(signal, 'abort').length,
    ),
    inside.settlement.held.size,
    inside.slots.running.size,
    inside.slots.waiting.length,
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length,
  ];
  await client.put({}, { type: 'report' });
  await broker.untilIdle();
  const before = left();
  await Promise.all(Array.from({ length: 1_000 }, () => client.put({}, { type: 'report' })));
  await broker.untilIdle();
  expect(left()).toEqual(before);
  await worker.stop();
});

it('a stopped worker leaves no listener on connections that others share', async () => {
  const listeners = () => {
    const { emitter } = connections.consuming.events as unknown as { emitter: NodeJS.EventEmitter };
    return emitter.eventNames().map((name) => [name, emitter.listenerCount(name)]);
  };
  const first = new ReportWorker({ connections, queueName: 'reports' });
  await first.start();
  const before = listeners();
  for (let round = 0; round < 20; round++) {
    const worker = new ReportWorker({ connections, queueName: 'reports' });
    await worker.start();
    await worker.stop();
  }
  expect(listeners()).toEqual(before);
  await first.stop();
});

it('a rolling deployment buries nothing: a type that only newer workers know waits for one of them', async () => {
  class DeployedWorker extends Worker {
    readonly handled: string[] = [];
    constructor(private readonly types: readonly string[]) {
      super({ connections, queueName: 'reports', maxAttempts: 3 });
    }
    override handler({ type }: Task): void {
      this.handled.push(type);
    }
    protected override runnerOf(type: string) {
      return this.types.includes(type) ? super.runnerOf(type) : undefined;
    }
  }
  const older = stopLater(new DeployedWorker(['report']));
  await older.start();
  await client.put({}, { type: 'invoice' });
  await broker.untilIdle();
  expect(broker.messages('reports.retry.1000')).toHaveLength(1);
  await older.stop();
  const newer = stopLater(new DeployedWorker(['report', 'invoice']));
  await newer.start();
  await broker.advance(1_000);
  expect(newer.handled).toEqual(['invoice']);
  await client.put({}, { type: 'nobody-ever' });
  await broker.advance(60_000);
  expect(broker.messages('reports.dead')).toMatchObject([
    { type: 'nobody-ever', headers: { 'x-error-code': 'UNKNOWN_TYPE', 'x-attempt': 3 } },
  ]);
});
