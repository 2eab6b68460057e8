import { getEventListeners } from 'node:events';
import { MemoryKeyStore } from './memory-key-store';
import type { Task } from './task';
import { MemoryBroker } from './testing';
import type { MemoryConnections } from './testing/memory-connections';
import { retryQueueOf } from './topology';
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
afterEach(() => client.stop());

class ReportWorker extends Worker {
  work: (task: Task) => unknown = () => undefined;
  override handler(task: Task): unknown {
    return this.work(task);
  }
}

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
};

it('a task is acknowledged only when it is remembered that it has succeeded', async () => {
  let remember: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (remember = resolve));
  const keyStore = new (class extends MemoryKeyStore {
    override async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
      await gate;
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
    consumption: { deliveries: { lost: AbortSignal } };
    settlement: { held: Map<unknown, unknown> };
    slots: { running: Set<unknown>; waiting: unknown[] };
  };
  const left = () => [
    ...[inside.leaving.signal, inside.stopped.signal, inside.consumption.deliveries.lost].map(
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
