import { InvalidMessageError } from '../errors';
import { MemoryBroker } from '../testing';
import { headersOf } from './put-options';
import { WorkerClient } from './worker-client';

const NOW_MS = 1_800_000_000_000;

it('options for one task become headers, and what is left out none', () => {
  expect(headersOf({ tags: ['order:4711', 'eilig ✓'], maxAttempts: 3, timeoutMs: 60_000 }, NOW_MS)).toEqual({
    'x-attempt': 1,
    'x-enqueued-at-ms': NOW_MS,
    'x-tags': ['order:4711', 'eilig ✓'],
    'x-max-attempts': 3,
    'x-timeout-ms': 60_000,
  });
  expect(headersOf({ tags: [] }, NOW_MS)).toEqual({ 'x-attempt': 1, 'x-enqueued-at-ms': NOW_MS });
});

it.each<[string, object]>([
  ['tags', { tags: 'order' }],
  ['tags', { tags: [''] }],
  ['tags', { tags: [7] }],
  ['tags', { tags: ['ü'.repeat(33)] }],
  ['tags', { tags: ['a\nb'] }],
  ['tags', { tags: ['a\u202eb'] }],
  ['tags', { tags: Array.from({ length: 11 }, (_, index) => `t${index}`) }],
  ['maxAttempts', { maxAttempts: 0 }],
  ['maxAttempts', { maxAttempts: 1.5 }],
  ['maxAttempts', { maxAttempts: 1_000_001 }],
  ['timeoutMs', { timeoutMs: 0 }],
  ['timeoutMs', { timeoutMs: '5' }],
  ['timeoutMs', { timeoutMs: 2 ** 31 }],
  ['expiresAtMs or ttlMs, not both', { expiresAtMs: NOW_MS + 1, ttlMs: 1 }],
  ['expiresAtMs', { expiresAtMs: NOW_MS }],
  ['expiresAtMs', { expiresAtMs: 8.64e15 + 1 }],
  ['expiresAtMs', { expiresAtMs: new Date(NOW_MS + 1_000) }],
  ['ttlMs', { ttlMs: 0 }],
  ['ttlMs', { ttlMs: 1.5 }],
  ['ttlMs', { ttlMs: 8.64e15 }],
  ['before it is due', { ttlMs: 60_000, delayMs: 60_000 }],
  ['before it is due', { expiresAtMs: NOW_MS + 59_999, runAt: NOW_MS + 60_000 }],
])('%s that no task can have are refused: %j', (name, options) => {
  const put = () => headersOf(options, NOW_MS);
  expect(put).toThrow(InvalidMessageError);
  expect(put).toThrow(name);
});

it.each([
  [{ expiresAtMs: NOW_MS + 1 }, NOW_MS + 1],
  [{ ttlMs: 60_000 }, NOW_MS + 60_000],
  [{ ttlMs: 60_000, delayMs: 59_999 }, NOW_MS + 60_000],
  [{ ttlMs: 1, runAt: NOW_MS - 5_000 }, NOW_MS + 1],
])('an expiry is a time, counted from the put: %j', (options, expiresAtMs) => {
  expect(headersOf(options, NOW_MS)['x-expires-at-ms']).toBe(expiresAtMs);
});

it('ten tags of 64 bytes fit', () => {
  const tags = Array.from({ length: 10 }, () => 'ü'.repeat(32));
  expect(headersOf({ tags }, NOW_MS)['x-tags']).toEqual(tags);
});

it('arrive as they were put, also when the task is delayed', async () => {
  const broker = new MemoryBroker();
  const client = new WorkerClient({ connections: broker.connect(), queueName: 'reports' });
  await client.put({ type: 'report' }, { tags: ['a', 'b'], maxAttempts: 2, timeoutMs: 5, delayMs: 90_000 });
  expect(broker.messages('reports.delay.60000')).toMatchObject([
    { headers: { 'x-tags': ['a', 'b'], 'x-max-attempts': 2, 'x-timeout-ms': 5 } },
  ]);
  await client.stop();
});
