import { WorkerClient } from '../worker-client';
import { RecordingClient } from './recording-client';

it('is a WorkerClient that remembers what was put, as a handler will get it', async () => {
  const client = new RecordingClient();
  expect(client).toBeInstanceOf(WorkerClient);
  const id = await client.put({ at: new Date(0), nothing: undefined }, { type: 'report' });
  await client.put({ type: 'later' }, { delayMs: 60_000, id: 'order-7' });
  expect(client.tasks).toEqual([
    { id, type: 'report', body: { at: '1970-01-01T00:00:00.000Z' }, options: { type: 'report' } },
    { id: 'order-7', type: 'later', body: { type: 'later' }, options: { delayMs: 60_000, id: 'order-7' } },
  ]);
  expect(client.problem).toBeUndefined();
  await client.stop();
});

it('remembers two tasks of the same id as two', async () => {
  const client = new RecordingClient({ queueName: 'reports' });
  for (const n of [1, 2]) await client.put({ type: 'report', n }, { id: 'same' });
  expect(client.tasks.map(({ body }) => body['n'])).toEqual([1, 2]);
  expect(client.queueName).toBe('reports');
});

it('refuses what a client refuses, with the same error, and remembers nothing', async () => {
  const client = new RecordingClient({ maxPayloadBytes: 20 });
  await expect(client.put({ no: 'type' })).rejects.toMatchObject({ code: 'TASK_INVALID' });
  await expect(client.put({ type: 'report', text: 'x'.repeat(20) })).rejects.toMatchObject({ code: 'TASK_TOO_LARGE' });
  await expect(client.put({ type: 'report' }, { delayMs: -1 })).rejects.toMatchObject({ code: 'TASK_INVALID' });
  expect(client.tasks).toEqual([]);
});
