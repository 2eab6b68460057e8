import type { Message } from 'amqplib';
import { identify } from './codec';
import { bare, forward, inLevel, keptHeaders, priorityOf } from './forwarding';
import { fitStored } from './frame-fit';

const NOW_MS = 1_800_000_000_000;

function arrived(properties: Record<string, unknown>): Message {
  return { content: Buffer.from('{"type":"report"}'), fields: {}, properties } as unknown as Message;
}

function forwarded(properties: Record<string, unknown>) {
  const message = arrived({ messageId: '1', ...properties });
  const identity = identify(message);
  return forward(message, identity, '', 'elsewhere', keptHeaders(identity));
}

it('takes along what a caller gave: its headers, whom to answer, and the priority', () => {
  const headers = {
    'x-tenant': 'acme',
    baggage: 'k=v',
    tracestate: 's=1',
    nested: { a: [1] },
    'x-enqueued-at-ms': NOW_MS,
  };
  const given = { correlationId: 'c-1', replyTo: 'answers', priority: 9, headers };
  expect(forwarded(given).properties).toMatchObject(given);
});

it('leaves behind what only this delivery had: an expiry, a user, and what the broker wrote', () => {
  const headers = { 'x-death': [{}], 'x-delivery-count': 2, CC: ['x'], 'x-enqueued-at-ms': NOW_MS };
  const { properties } = forwarded({ expiration: '5', userId: 'guest', clusterId: 'c', headers });
  expect(properties).toEqual({
    messageId: '1',
    deliveryMode: 2,
    mandatory: true,
    headers: { 'x-enqueued-at-ms': NOW_MS },
  });
});

it('keeps no text that is too long for its field', () => {
  const { properties } = forwarded({
    correlationId: 'ü'.repeat(128),
    replyTo: 'ü'.repeat(128),
    appId: 'x'.repeat(256),
  });
  expect(Object.keys(properties).sort()).toEqual(['deliveryMode', 'headers', 'mandatory', 'messageId']);
});

it.each<[unknown, unknown, number | undefined]>([
  [9, undefined, 9],
  [undefined, 9, 9],
  [3, 9, 3],
  [255, undefined, 255],
  [0, undefined, undefined],
  [undefined, undefined, undefined],
  [256, 7, 7],
  [undefined, 256, undefined],
  [undefined, -1, undefined],
  [undefined, 1.5, undefined],
  [undefined, '9', undefined],
])('of the property %p and the header %p the priority is %p', (priority, header, expected) => {
  expect(priorityOf(arrived({ priority, headers: { 'x-priority': header } }))).toBe(expected);
});

it('tells the priority in a header while the task is in a level, and in the property behind it', () => {
  const inside = inLevel(forwarded({ priority: 9, headers: { 'x-tenant': 'acme' } }));
  expect(inside.properties).not.toHaveProperty('priority');
  expect(inside.properties.headers).toMatchObject({ 'x-tenant': 'acme', 'x-priority': 9 });
  const behind = forwarded({ headers: inside.properties.headers });
  expect(behind.properties.priority).toBe(9);
  expect(behind.properties.headers).not.toHaveProperty('x-priority');
});

it('leaves a task without a priority as it is', () => {
  const message = forwarded({});
  expect(inLevel(message)).toBe(message);
});

it('can be cut down to what a task needs', () => {
  const headers = { 'x-tenant': 'acme', 'x-attempt': 2, 'x-error-message': 'x'.repeat(900), 'x-history': '{}' };
  const message = { ...forwarded({ type: 'report', replyTo: 'answers' }), fit: fitStored };
  message.properties.headers = headers;
  expect(bare(message)).toEqual({
    ...message,
    properties: {
      messageId: '1',
      type: 'report',
      deliveryMode: 2,
      mandatory: true,
      headers: { 'x-attempt': 2, 'x-error-message': 'x'.repeat(200) },
    },
  });
});
