import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  ACK_FRAME_BYTES,
  bodyFrameBytes,
  headerFrameBytes,
  mostHeadBytes,
  writeAck,
  writePublish,
  type PublishProperties,
} from './frames';

/** amqplib's own encoders, which it does not export: what they write is what ours has to write. */
interface Encoders {
  BasicPublish: number;
  BasicAck: number;
  BasicProperties: number;
  encodeMethod(id: number, channel: number, fields: object): Buffer;
  encodeProperties(id: number, channel: number, size: number, fields: object): Buffer;
}
const amqplib = dirname(require.resolve('amqplib'));
const encoders = createRequire(__filename)(join(amqplib, 'lib/defs.js')) as Encoders;

const CHANNEL = 7;
const FRAME_MAX = 4_096;

function ours(properties: PublishProperties, content: Buffer, exchange = 'mercury.tasks', key = 'reports'): Buffer {
  const what = { exchange, properties, content };
  const most = mostHeadBytes(what, key) + bodyFrameBytes(content, FRAME_MAX) + content.length;
  const target = Buffer.alloc(3 + most, 0xee);
  const end = writePublish(target, 3, CHANNEL, what, key, FRAME_MAX);
  expect(target.subarray(0, 3)).toEqual(Buffer.alloc(3, 0xee));
  return target.subarray(3, end);
}

function theirs(properties: PublishProperties, content: Buffer, exchange = 'mercury.tasks', key = 'reports'): Buffer {
  const fields = { exchange, routingKey: key, mandatory: properties.mandatory ?? false, immediate: false, ticket: 0 };
  const method = encoders.encodeMethod(encoders.BasicPublish, CHANNEL, fields);
  const header = encoders.encodeProperties(encoders.BasicProperties, CHANNEL, content.length, properties);
  const bodies: Buffer[] = [];
  for (let offset = 0; offset < content.length; offset += FRAME_MAX - 8) {
    const part = content.subarray(offset, offset + FRAME_MAX - 8);
    const head = Buffer.from([3, 0, CHANNEL, 0, 0, 0, 0]);
    head.writeUInt32BE(part.length, 3);
    bodies.push(head, part, Buffer.from([0xce]));
  }
  return Buffer.concat([method, header, ...bodies]);
}

const task: PublishProperties = {
  messageId: '01934b5c-7d2e-7a41-9c57-3f1c2f6f9a10',
  type: 'order.paid',
  contentType: 'application/json',
  deliveryMode: 2,
  mandatory: true,
  timestamp: 1_764_080_000,
  appId: 'mercury',
  headers: { 'x-attempt': 1, 'x-enqueued-at-ms': 1_764_080_000_123 },
};
const body = Buffer.from('{"type":"order.paid"}');

it.each<[string, PublishProperties]>([
  ['of a task', task],
  ['with nothing', {}],
  ['with no headers', { ...task, headers: {} }],
  [
    'of a dead letter',
    { ...task, headers: { 'x-error-message': 'Zoë says: no ☿', 'x-history': `{"a":"${'x'.repeat(2_000)}"}` } },
  ],
  ['with every number', { headers: Object.fromEntries(numbers().map((value, index) => [`n${index}`, value])) }],
  ['with yes and no', { headers: { yes: true, no: false, gone: undefined, empty: '' } }],
  ['with text beyond ASCII', { messageId: 'ключ', type: 'ünïcode ☿ 𝄞', appId: 'é', contentEncoding: 'utf-8' }],
  [
    'with texts as long as they may be',
    { messageId: 'x'.repeat(255), type: 'ü'.repeat(127), headers: { ['n'.repeat(255)]: 'v' } },
  ],
  ['with whom to answer', { ...task, priority: 9, correlationId: 'c-1', replyTo: 'réponses' }],
  [
    'with every header that other programs have',
    {
      headers: {
        nested: { a: { b: [1, 'x', null, true, { c: -0.5 }] }, empty: {} },
        list: [],
        bytes: Buffer.from([0xff, 0xfe, 0]),
        when: { '!': 'timestamp', value: 1_772_000_000 },
        price: { '!': 'decimal', value: { places: 2, digits: 314 } },
        none: null,
        large: 2 ** 62,
        largest: -(2 ** 63),
        beyond: 2 ** 64,
      },
    },
  ],
  ['with times of any size', { timestamp: 2 ** 52 + 1, headers: { 'x-first-failed-at-ms': 8.64e15 } }],
])('writes a message %s as amqplib does, byte for byte', (_what, properties) => {
  expect(ours(properties, body)).toEqual(theirs(properties, body));
  const empty = Buffer.alloc(0);
  const methodBytes = ours({}, empty).length - headerFrameBytes({});
  expect(headerFrameBytes(properties)).toBe(ours(properties, empty).length - methodBytes);
});

it.each([0, 1, FRAME_MAX - 9, FRAME_MAX - 8, FRAME_MAX - 7, 3 * FRAME_MAX])(
  'writes a content of %d bytes in as many frames as it needs',
  (size) => {
    const content = Buffer.alloc(size, 'abc');
    expect(ours(task, content, '', 'ключ')).toEqual(theirs(task, content, '', 'ключ'));
  },
);

it.each<[string, PublishProperties]>([
  ['a text of more than 255 bytes', { type: 'ü'.repeat(128) }],
  ['a header name of more than 255 bytes', { headers: { ['n'.repeat(256)]: 1 } }],
  ['a header of a type that there is not', { headers: { a: Symbol('no') } }],
  ['a table that amqplib has no form for', { headers: { a: { '!': 'timestamp', value: 'now' } } }],
  ['a table with a name that means a type', { headers: { a: [{ '!': 'x' }] } }],
  ['a list with nothing in it', { headers: { a: [undefined] } }],
  ['headers that do not fit into a frame', { headers: { a: 'x'.repeat(FRAME_MAX) } }],
])('refuses %s', (_what, properties) => {
  expect(() => ours(properties, body)).toThrow(RangeError);
});

it.each([
  [1, false],
  [255, true],
  [2 ** 32 + 5, true],
  [Number.MAX_SAFE_INTEGER, false],
])('writes an ack of delivery %d (and all before: %s) as amqplib does', (deliveryTag, multiple) => {
  const target = Buffer.alloc(2 + ACK_FRAME_BYTES, 0xee);
  expect(writeAck(target, 2, CHANNEL, deliveryTag, multiple)).toBe(target.length);
  expect(target.subarray(2)).toEqual(encoders.encodeMethod(encoders.BasicAck, CHANNEL, { deliveryTag, multiple }));
});

function numbers(): number[] {
  const edges = [0, 1, 127, 128, 255, 32_767, 32_768, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40 + 7, 2 ** 49 + 1];
  return [...edges, ...edges.map((value) => -value - 1), 0.5, -0.25, 1e300];
}
