import { WorkerClient } from '../tasks/worker-client';
import { RecordingClient } from './recording-client';

it('is a WorkerClient that remembers what was put, as a handler will get it', async () => {
  const client = new RecordingClient();
  expect(client).toBeInstanceOf(WorkerClient);
  const id = await client.put({ at: new Date(0), nothing: undefined }, { type: 'report' });
  await client.put({ type: 'later' }, { delayMs: 60_000, id: 'order-7' });
  expect(client.tasks).toEqual([
    { id, queue: 'tasks', type: 'report', body: { at: '1970-01-01T00:00:00.000Z' }, options: { type: 'report' } },
    {
      id: 'order-7',
      queue: 'tasks',
      type: 'later',
      body: { type: 'later' },
      options: { delayMs: 60_000, id: 'order-7' },
    },
  ]);
  expect(client.problem).toBeUndefined();
  await client.stop();
});

it('remembers two tasks of the same id as two, also when one is delayed', async () => {
  const client = new RecordingClient({ queueName: 'reports' });
  const options = { id: 'same', delayMs: 60_000 };
  await client.put({ type: 'report', n: 1 }, options);
  options.delayMs = 5;
  await client.put({ type: 'report', n: 2 }, { id: 'same' });
  expect(client.tasks.map(({ body, options: { delayMs } }) => [body['n'], delayMs])).toEqual([
    [1, 60_000],
    [2, undefined],
  ]);
  expect(client.queueName).toBe('reports');
});

it('goes by the time of the process', async () => {
  const client = new RecordingClient();
  const tooFar = () => client.put({ type: 'report' }, { runAt: Date.now() + 30 * 86_400_000 + 1_000 });
  await expect(tooFar()).rejects.toMatchObject({ code: 'TASK_INVALID' });
  jest.useFakeTimers({ now: Date.now() + 60_000 });
  await client.put({ type: 'report' }, { runAt: Date.now() + 30 * 86_400_000 });
  jest.useRealTimers();
  expect(client.tasks).toHaveLength(1);
});

it('puts ten thousand tasks in no time, and need not be stopped', async () => {
  const client = new RecordingClient();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const timersBefore = timers();
  for (let number = 0; number < 10_000; number++) await client.put({ type: 'report', number });
  expect(client.tasks[9_999]?.body['number']).toBe(9_999);
  expect(timers()).toBe(timersBefore);
}, 2_000);

it('refuses what a client refuses, with the same error, and remembers nothing', async () => {
  const client = new RecordingClient({ maxPayloadBytes: 20 });
  await expect(client.put({ no: 'type' })).rejects.toMatchObject({ code: 'TASK_INVALID' });
  await expect(client.put({ type: 'report', text: 'x'.repeat(20) })).rejects.toMatchObject({ code: 'TASK_TOO_LARGE' });
  await expect(client.put({ type: 'report' }, { delayMs: -1 })).rejects.toMatchObject({ code: 'TASK_INVALID' });
  expect(client.tasks).toEqual([]);
});

it('refuses what is put after its stop', async () => {
  const client = new RecordingClient();
  client.start();
  await client.stop();
  await expect(client.put({ type: 'report' })).rejects.toMatchObject({ code: 'PUBLISH_NOT_SENT' });
  expect(client.problem).toBeDefined();
});

it('remembers what is put all at once, and refuses the same of it', async () => {
  const client = new RecordingClient();
  const outcomes = await client.putAll([
    { body: { n: 1 }, type: 'report', id: 'a', tags: ['x'] },
    { body: { n: 2 } },
    { body: { n: 3 }, type: 'report', delayMs: 5 },
  ]);
  expect(outcomes).toMatchObject([{ id: 'a', stored: true }, { stored: false, error: { code: 'TASK_INVALID' } }, {}]);
  expect(client.tasks).toMatchObject([{ id: 'a', options: { tags: ['x'] } }, { body: { n: 3 } }]);
  expect(client.tasks[0]?.options).toEqual({ type: 'report', id: 'a', tags: ['x'] });
  await client.stop();
  expect(await client.putAll([{ body: {}, type: 'report' }])).toMatchObject([
    { stored: false, error: { code: 'PUBLISH_NOT_SENT' } },
  ]);
});
