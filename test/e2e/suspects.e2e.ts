import { deadQueueOf, suspectQueueOf } from '@mercury/messaging';
import { gate, until } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [100];

const bench = new Workbench(LEVELS_MS);

it('runs a task that came three times without an end alone, and the innocent ones beside it succeed', async () => {
  const client = bench.client();
  for (const number of [1, 2, 3]) await client.put({ type: 'report', number });
  await bench.rabbit.dieOver(bench.queueName, 3, 3);
  await client.put({ type: 'slow' });
  const hold = gate();
  const beside: Record<string, number> = {};
  const worker = bench.worker((task) => {
    beside[JSON.stringify(task.body)] = worker.runningCount;
    return task.type === 'slow' ? hold.opened : undefined;
  });
  worker.events.on('problem', () => undefined);
  await worker.start();
  await until(
    'the suspects are set aside',
    async () => (await bench.rabbit.depth(suspectQueueOf(bench.queueName))) === 3,
  );
  await worker.seen.atLeast(1);
  expect(Object.keys(beside)).toEqual(['{"type":"slow"}']);
  hold.open();
  await worker.seen.atLeast(4);
  for (const number of [1, 2, 3]) expect(beside[JSON.stringify({ type: 'report', number })]).toBe(1);
  await client.put({ type: 'afterwards' });
  await worker.seen.atLeast(5);
  await worker.stop();
  expect(await bench.rabbit.depth(suspectQueueOf(bench.queueName))).toBe(0);
  expect(await bench.rabbit.depth(deadQueueOf(bench.queueName))).toBe(0);
});

it('buries a task over which a worker died three more times although it ran alone', async () => {
  const client = bench.client();
  const id = await client.put({ type: 'killer' });
  await bench.rabbit.dieOver(bench.queueName, 1, 3);
  const first = bench.worker(() => {
    throw new Error('never reached: the test itself dies over it');
  });
  first.events.on('problem', () => undefined);
  const message = await bench.rabbit.take(bench.queueName);
  await bench.rabbit.send(suspectQueueOf(bench.queueName), message!.content, message!.properties);
  await bench.rabbit.dieOver(suspectQueueOf(bench.queueName), 1, 3);
  await first.start();
  await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
  const letter = await bench.rabbit.take(deadQueueOf(bench.queueName));
  expect(letter?.properties).toMatchObject({
    messageId: id,
    headers: { 'x-error-code': 'WORKER_LOST', 'x-attempt': 1 },
  });
  expect(first.seen.values).toHaveLength(0);
});

it('lets a suspect fail and be tried again like any other task', async () => {
  const client = bench.client();
  await client.put({ type: 'report' });
  await bench.rabbit.dieOver(bench.queueName, 1, 3);
  const worker = bench.worker((task) => {
    if (task.attempt === 1) throw new Error('once');
  });
  worker.events.on('problem', () => undefined);
  await worker.start();
  await worker.seen.atLeast(2);
  expect(worker.seen.values.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

it('gives a suspect back when it is told to stop while it waits for its turn', async () => {
  const client = bench.client();
  await client.put({ type: 'report' });
  await bench.rabbit.dieOver(bench.queueName, 1, 3);
  await client.put({ type: 'slow' });
  const hold = gate();
  const worker = bench.worker(() => hold.opened);
  worker.events.on('problem', () => undefined);
  await worker.start();
  await until('it is set aside', async () => (await bench.rabbit.depth(suspectQueueOf(bench.queueName))) === 1);
  const stopped = worker.stop();
  hold.open();
  await stopped;
  expect(await bench.rabbit.depth(suspectQueueOf(bench.queueName))).toBe(1);
  expect(worker.seen.values.map(({ type }) => type)).toEqual(['slow']);
});

it('is beyond help where only others consume: the broker buries it after 20 deliveries without an end', async () => {
  const id = await bench.client().put({ type: 'killer' });
  await bench.rabbit.dieOver(bench.queueName, 1, 21);
  await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
  const letter = await bench.rabbit.take(deadQueueOf(bench.queueName));
  expect(letter?.properties).toMatchObject({
    messageId: id,
    headers: { 'x-death': [{ reason: 'delivery_limit', queue: bench.queueName }] },
  });
});
