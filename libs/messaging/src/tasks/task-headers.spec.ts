import type { Message } from 'amqplib';
import { identify } from './codec';
import { keptHeaders } from './forwarding';
import { replayOf } from './settlement';

const NOW_MS = 1_800_000_000_000;
const wanted = { 'x-tags': ['order:4711', 'eilig'], 'x-max-attempts': 3, 'x-timeout-ms': 60_000 };
const counted = { 'x-execution': 4, 'x-postponed': 2, 'x-postponed-ms': 61_000 };

const arrived = (headers: object) =>
  ({ content: Buffer.from('{}'), fields: {}, properties: { messageId: '1', headers } }) as unknown as Message;
const keptOf = (headers: object) => keptHeaders(identify(arrived(headers)));

it('what its caller wants for a task, and what was counted of it, travels with it', () => {
  expect(keptOf({ ...wanted, ...counted })).toMatchObject({ ...wanted, ...counted });
});

it('what a replay begins anew is not what its caller wanted', () => {
  const message = arrived({ ...wanted, ...counted });
  const { properties } = replayOf(message, identify(message), 'reports', { attempts: [], omitted: 0 }, NOW_MS);
  expect(properties.headers).toMatchObject({ ...wanted, 'x-execution': 5 });
  expect(properties.headers).not.toHaveProperty('x-postponed');
});

it.each([
  [{ 'x-tags': 'order', 'x-max-attempts': '3', 'x-timeout-ms': -1 }],
  [{ 'x-tags': [7, ''], 'x-max-attempts': 0, 'x-timeout-ms': 2 ** 31 }],
  [{ 'x-execution': 0, 'x-postponed': 1.5, 'x-postponed-ms': 1e15 }],
])('what is not as we write it stays behind: %j', (forged) => {
  expect(Object.keys(keptOf(forged))).toEqual(['x-enqueued-at-ms']);
});
