import { Publisher } from '../broker/publisher';
import { PublishError } from '../errors';
import { WorkerClient } from '../tasks/worker-client';
import { MemoryBroker } from '../testing';
import type { MemoryConnections } from '../testing/memory-connections';
import { DeadLetters } from './dead-letters';
import { HeldLetters } from './dead-queue';
import type { ReplayProgress } from './replay';

let broker: MemoryBroker;
let connections: MemoryConnections;
let client: WorkerClient;
let letters: DeadLetters;

beforeEach(async () => {
  broker = new MemoryBroker();
  connections = broker.connect();
  client = new WorkerClient({ connections, queueName: 'reports' });
  letters = new DeadLetters({ connections, queueName: 'reports' });
  client.start();
  await broker.untilIdle();
  for (const id of ['a', 'b', 'c']) {
    const headers = { 'x-error-code': 'GONE', 'x-dead-at-ms': 1_000 };
    broker.send('reports.dead', '{}', { messageId: id, type: 'report', headers });
  }
  await broker.untilIdle();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all([client.stop(), letters.stop()]);
});

const idsIn = (queue: string) => broker.messages(queue).map(({ id }) => id);

async function replayed(signal?: AbortSignal): Promise<ReplayProgress[]> {
  const all: ReplayProgress[] = [];
  for await (const progress of letters.replay({}, { ratePerSecond: 1_000, ...(signal ? { signal } : {}) }))
    all.push(progress);
  return all;
}

it('puts each letter back on its queue, one after the other, and takes it out', async () => {
  const all = await replayed();
  expect(all.map(({ replayed: count, id }) => [count, id])).toEqual([
    [0, undefined],
    [1, 'a'],
    [2, 'b'],
    [3, 'c'],
  ]);
  expect([idsIn('reports'), idsIn('reports.dead')]).toEqual([['a', 'b', 'c'], []]);
});

it('puts none that does not match, however alike it is: the same id, time and size', async () => {
  const headers = (code: string) => ({ 'x-error-code': code, 'x-dead-at-ms': 5_000 });
  for (const [type, code] of [
    ['other', 'OTHER'],
    ['wanted', 'WANTED'],
  ] as const) {
    broker.send('reports.dead', '{}', { messageId: 'twin', type, headers: headers(code) });
  }
  await broker.untilIdle();
  for await (const _progress of letters.replay({ code: 'WANTED' }, { ratePerSecond: 1_000 }));
  expect(broker.messages('reports').map(({ type }) => type)).toEqual(['wanted']);
});

it('ends without a failure when the caller wants it to, and gives back what is left', async () => {
  const stop = new AbortController();
  const seen: unknown[] = [];
  for await (const { id } of letters.replay({}, { signal: stop.signal })) {
    seen.push(id);
    if (id === 'a') stop.abort();
  }
  expect(seen).toEqual([undefined, 'a']);
  expect([idsIn('reports'), idsIn('reports.dead')]).toEqual([['a'], ['b', 'c']]);
});

it('fails when a task could not be put, also when the caller wants it to end in that moment', async () => {
  const stop = new AbortController();
  jest.spyOn(Publisher.prototype, 'publish').mockImplementation(async () => {
    stop.abort();
    throw new PublishError('unknown', 'Nobody knows.');
  });
  await expect(replayed(stop.signal)).rejects.toMatchObject({ code: 'PUBLISH_UNKNOWN' });
  expect(idsIn('reports.dead')).toHaveLength(3);
});

it('says of a letter that could not be taken out that it is still there, and stops', async () => {
  jest.spyOn(HeldLetters.prototype, 'take').mockReturnValue(false);
  await expect(replayed()).rejects.toMatchObject({
    code: 'BROKER_CHANNEL_LOST',
    message: expect.stringContaining('Task a was put again') as string,
  });
  expect(idsIn('reports')).toEqual(['a']);
});

it('puts nothing more when the broker has taken the letters back', async () => {
  jest.spyOn(HeldLetters.prototype, 'throwIfLost').mockImplementation(() => {
    throw new Error('taken back');
  });
  await expect(replayed()).rejects.toThrow('taken back');
  expect(idsIn('reports')).toEqual([]);
});

it('a discard deletes what matches, and with dryRun only tells it', async () => {
  const told = { matched: 1, ids: ['b'] };
  expect(await letters.discard({ ids: ['b'] }, { dryRun: true })).toMatchObject({ ...told, discarded: 0 });
  expect(idsIn('reports.dead')).toHaveLength(3);
  expect(await letters.discard({ ids: ['b'] })).toMatchObject({ ...told, discarded: 1 });
  expect(idsIn('reports.dead')).toEqual(['a', 'c']);
});

it('leaves no listener on the connection, however many readings there were', async () => {
  const { emitter } = connections.consuming.events as unknown as { emitter: NodeJS.EventEmitter };
  const listeners = () => emitter.eventNames().map((name) => [name, emitter.listenerCount(name)]);
  await letters.list();
  const before = listeners();
  for (let round = 0; round < 20; round++) await letters.list();
  expect(listeners()).toEqual(before);
});
