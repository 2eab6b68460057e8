import { FakeLink } from '../../../../test/support/fake-link';
import { Connection } from '../broker/connection';
import { MemoryBroker } from '../testing';
import type { MemoryConnections } from '../testing/memory-connections';
import type { PutItem, PutOutcome } from './put-all';
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

function* items(count: number): Generator<PutItem> {
  for (let number = 0; number < count; number++) yield { body: { number }, type: 'report', id: `t${number}` };
}

const codesOf = (outcomes: readonly PutOutcome[]) => [
  ...new Set(outcomes.map((outcome) => (outcome.stored ? 'stored' : outcome.error.code))),
];

it('a list becomes tasks, and an outcome for each of them in its order', async () => {
  const tasks = [...items(2_500)];
  tasks[7] = { body: { at: NaN }, type: 'report' };
  const outcomes = await client.putAll(tasks);
  expect(outcomes).toHaveLength(2_500);
  expect(outcomes[7]).toMatchObject({ stored: false, error: { code: 'BODY_INVALID', pointer: '/at' } });
  outcomes.splice(7, 1);
  expect(outcomes).toEqual(tasks.flatMap(({ id }) => (id === undefined ? [] : [{ id, stored: true }])));
  expect(broker.messages('reports')).toHaveLength(2_499);
  expect(await client.putAll([])).toEqual([]);
});

it('each may have what a put takes', async () => {
  await client.putAll([{ body: {}, type: 'report', delayMs: 90_000, tags: ['a'] }]);
  expect(broker.messages('reports.delay.60000')).toMatchObject([{ body: {}, headers: { 'x-tags': ['a'] } }]);
});

it('goes on after a connection that was lost: what was under way is unknown, and everything else is stored', async () => {
  const outcomes: PutOutcome[] = [];
  const source = async function* () {
    for (const item of items(3_000)) {
      if (item.id === 't1500') connections.cut();
      yield item;
    }
  };
  const counts = await client.putAll(source(), { onOutcome: (outcome) => outcomes.push(outcome) });
  expect(counts.storedCount + counts.failedCount).toBe(3_000);
  expect(outcomes).toHaveLength(3_000);
  expect(counts.failedCount).toBeLessThanOrEqual(1_000);
  expect(codesOf(outcomes)).toEqual(expect.arrayContaining(['stored']));
  expect(codesOf(outcomes).filter((code) => code !== 'stored' && code !== 'PUBLISH_UNKNOWN')).toEqual([]);
  const stored = new Set(broker.messages('reports').map(({ id }) => id));
  for (const outcome of outcomes) if (outcome.stored) expect(stored.has(outcome.id)).toBe(true);
});

it('ends when the client is stopped: what was taken has its outcome, and the rest was not sent', async () => {
  const put = client.putAll([...items(5_000)]);
  await new Promise(setImmediate);
  await client.stop();
  const outcomes = await put;
  expect(outcomes).toHaveLength(5_000);
  expect(codesOf(outcomes).at(-1)).toBe('PUBLISH_NOT_SENT');
  const stored = outcomes.filter((outcome) => outcome.stored);
  expect(broker.messages('reports')).toHaveLength(stored.length);
});

it('ends with its signal', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(client.putAll(items(5), { signal, onOutcome: () => undefined })).rejects.toThrow('enough');
  expect(await client.putAll([...items(2)], { signal })).toMatchObject([
    {
      id: 't0',
      stored: false,
      error: { code: 'PUBLISH_NOT_SENT', message: expect.stringContaining('enough') as string },
    },
    { id: 't1', stored: false },
  ]);
});

it('waits for a broker that is away no longer than one put does, however many there are', async () => {
  const never = new Connection(new FakeLink());
  const lonely = new WorkerClient({
    connections: { publishing: never, consuming: never },
    queueName: 'reports',
    publishTimeoutMs: 100,
  });
  const fromMs = performance.now();
  const outcomes = await lonely.putAll([...items(1_000)]);
  expect(performance.now() - fromMs).toBeLessThan(2_000);
  expect([outcomes.length, codesOf(outcomes)]).toEqual([1_000, ['PUBLISH_NOT_SENT']]);
  let pulled = 0;
  const source = function* () {
    for (const item of items(1_000)) {
      pulled += 1;
      yield item;
    }
  };
  const put = lonely.putAll(source(), { onOutcome: () => undefined });
  await expect(put).rejects.toMatchObject({ code: 'PUBLISH_NOT_SENT' });
  expect(pulled).toBe(0);
  await lonely.stop();
});

it('wants somebody who hears the outcomes of what is no list', async () => {
  const forgotten = client.putAll as (tasks: unknown) => Promise<unknown>;
  await expect(forgotten.call(client, items(5))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(broker.messages('reports')).toEqual([]);
});
