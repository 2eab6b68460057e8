import { hostname } from 'node:os';
import { until } from '../../../../test/support/until';
import { DiscardTask, PostponeTask, type MercuryError } from '../errors';
import { MemoryBroker } from '../testing';
import type { Task } from './task';
import { Worker } from './worker';
import { WorkerClient } from './worker-client';

class Reports extends Worker {
  override handler({ type }: Task): void {
    if (type === 'fine') return;
    if (type === 'gone') throw new DiscardTask('closed for good', { code: 'CLOSED' });
    if (type === 'later') throw new PostponeTask(60_000);
    throw new Error('no paper\nin tray 2', { cause: new Error('ENOENT') });
  }
}

let undo: (() => Promise<void>)[];
beforeEach(() => (undo = []));
afterEach(async () => {
  for (const each of undo.reverse()) await each();
});

async function problemsOf(types: readonly string[], logs?: boolean): Promise<MercuryError[]> {
  const broker = new MemoryBroker();
  const options = { connections: broker.connect(), queueName: 'reports', retryDelaysMs: [10_000], maxAttempts: 2 };
  const worker = new Reports({ ...options, ...(logs === undefined ? {} : { logs }) });
  const client = new WorkerClient(options);
  undo.push(
    () => worker.stop(),
    () => client.stop(),
  );
  const problems: MercuryError[] = [];
  worker.events.on('problem', (problem) => problems.push(problem));
  await worker.start();
  for (const type of types) await client.put({}, { type, id: `${type}-1` });
  await broker.advance(10_000);
  return problems;
}

it('a failure is told in one line, with its causes: when the task comes again, and when it does not', async () => {
  const worker = `${hostname()}:${process.pid}`;
  const why = 'HANDLER_FAILED: Error: no paper in tray 2 (Error: ENOENT)';
  expect((await problemsOf(['broken', 'gone'])).map(({ code, message }) => [code, message])).toEqual([
    [
      'TASK_RETRIED',
      `Task "broken" broken-1 of queue "reports" failed at attempt 1, and comes again in 10 s (worker ${worker}): ${why}`,
    ],
    [
      'TASK_DEAD',
      `Task "gone" gone-1 of queue "reports" is dead after attempt 1 (worker ${worker}): CLOSED: closed for good`,
    ],
    ['TASK_DEAD', `Task "broken" broken-1 of queue "reports" is dead after attempt 2 (worker ${worker}): ${why}`],
  ]);
});

it('what is no failure is not told: success, and a task that was postponed', async () => {
  expect(await problemsOf(['fine', 'later'])).toEqual([]);
});

it('a worker that waits for the same says so once a minute', async () => {
  const connections = new MemoryBroker().connect();
  const tries = jest.spyOn(connections.consuming, 'untilConnected');
  const worker = new Reports({ connections, queueName: 'reports', topology: 'check' });
  undo.push(() => worker.stop());
  const told: string[] = [];
  worker.events.on('problem', ({ code }) => told.push(code));
  await worker.start().catch(() => undefined);
  await until('it has tried again', () => tries.mock.calls.length > 6);
  expect(told).toEqual(['BROKER_TOPOLOGY_MISSING']);
  const [now, tried] = [performance.now() + 61_000, tries.mock.calls.length];
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
  try {
    await until('a minute has passed', () => tries.mock.calls.length > tried + 4);
  } finally {
    clock.mockRestore();
  }
  expect(told).toEqual(['BROKER_TOPOLOGY_MISSING', 'BROKER_TOPOLOGY_MISSING']);
});

it('nothing is told with logs: false', async () => {
  expect(await problemsOf(['broken', 'gone'], false)).toEqual([]);
});
