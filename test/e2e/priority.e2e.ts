import { setTimeout as pause } from 'node:timers/promises';
import { deadQueueOf, type Task } from '@mercury/messaging';
import { gate, until } from '../support/until';
import { Workbench } from '../support/workbench';

/** RabbitMQ 4.0 has two priorities in a quorum queue, 4.3 has 32, and 3.10 has none, but keeps the property. */
const LEVELS_MS = [1_000];

const bench = new Workbench(LEVELS_MS);

it('a task that fails comes back in time, however many of another priority fail after it', async () => {
  const times = new Map<unknown, number[]>();
  const worker = bench.worker(
    ({ body, attempt }) => {
      times.set(body['n'], [...(times.get(body['n']) ?? []), performance.now()]);
      if (attempt === 1) throw new Error('once');
    },
    { capacity: 20 },
  );
  await worker.start();
  const priorities = [...new Array<undefined>(4), ...new Array<number>(8).fill(9)];
  for (const [n, priority] of priorities.entries()) {
    await bench.rabbit.send(bench.queueName, JSON.stringify({ type: 'report', n }), priority ? { priority } : {});
    // One after the other: in one level of 4.0 two of them would have to be out before one of the first is.
    if (priority) await pause(200);
  }
  await worker.seen.atLeast(2 * priorities.length);
  const waits = [...times.values()].map(([first = 0, second = Infinity]) => second - first);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000);
  expect(Math.max(...waits)).toBeLessThan(2_200);
});

it('has its priority again where it waits for its next attempt to begin, and in the dead queue', async () => {
  const hold = gate();
  const worker = bench.worker(
    ({ type, attempt }: Task) => {
      if (type === 'long') return hold.opened;
      if (type === 'dead' || attempt === 1) throw new Error('no');
      return undefined;
    },
    { capacity: 1, maxAttempts: 2 },
  );
  await worker.start();
  await bench.rabbit.send(bench.queueName, '{"type":"urgent"}', { priority: 9 });
  await worker.seen.atLeast(1);
  await bench.client().put({ type: 'long' });
  await worker.seen.atLeast(2);
  await until('it is back', async () => (await bench.rabbit.depth(bench.queueName)) === 1);
  const back = await bench.rabbit.take(bench.queueName);
  expect(back?.properties).toMatchObject({ priority: 9, headers: { 'x-attempt': 2 } });
  hold.open();
  await bench.rabbit.send(bench.queueName, '{"type":"dead"}', { priority: 9 });
  await until('the letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
  expect((await bench.rabbit.take(deadQueueOf(bench.queueName)))?.properties).toMatchObject({ priority: 9 });
});
