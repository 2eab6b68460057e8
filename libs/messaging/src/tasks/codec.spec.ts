import type { Message } from 'amqplib';
import { DiscardTask, InvalidMessageError } from '../errors';
import { decodeTask, encodeJson, encodeTask, identify } from './codec';
import type { JsonObject } from './task';

const LIMIT = 1_000;
const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function arrived(content: string | Buffer, properties: JsonObject = {}): Message {
  return { content: Buffer.from(content), fields: {}, properties } as unknown as Message;
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}

describe('encodeTask', () => {
  it('writes exactly the bytes of JSON.stringify', () => {
    const body = { type: 'grüße', nested: { list: [1, null, '✓'], left: undefined }, at: new Date(0) };
    expect(encodeTask(body, {}, LIMIT).content).toEqual(Buffer.from(JSON.stringify(body)));
  });

  it('makes a persistent JSON message of the first attempt', () => {
    const before = Date.now();
    const { id, properties } = encodeTask({ type: 'report' }, {}, LIMIT);
    expect(id).toMatch(UUID_V7);
    expect(properties).toMatchObject({
      messageId: id,
      type: 'report',
      contentType: 'application/json',
      deliveryMode: 2,
      appId: 'mercury',
    });
    const headers = properties.headers as Record<string, number>;
    expect(Object.keys(headers)).toEqual(['x-attempt', 'x-enqueued-at-ms']);
    expect(headers['x-attempt']).toBe(1);
    expect(headers['x-enqueued-at-ms']).toBeGreaterThanOrEqual(before);
    expect(properties.timestamp).toBe(Math.floor((headers['x-enqueued-at-ms'] ?? 0) / 1000));
  });

  it('prefers the given type to that of the body, and leaves the body alone', () => {
    const { content, properties } = encodeTask({ type: 'inner' }, { type: 'outer' }, LIMIT);
    expect(properties.type).toBe('outer');
    expect(content.toString()).toBe('{"type":"inner"}');
  });

  it('carries a trace context as a header', () => {
    const { properties } = encodeTask({ type: 'a' }, { traceparent: TRACEPARENT }, LIMIT);
    expect(properties.headers).toHaveProperty('traceparent', TRACEPARENT);
  });

  it.each([
    ['null', null],
    ['nothing', undefined],
    ['a string', '{"type":"a"}'],
    ['a number', 1],
    ['an array', [{ type: 'a' }]],
    ['a function', () => undefined],
    ['a body whose toJSON gives a string', { type: 'a', toJSON: () => '{' }],
    ['a body whose toJSON gives an array', { type: 'a', toJSON: () => [1] }],
    ['a body whose toJSON gives nothing', { type: 'a', toJSON: () => undefined }],
    ['a body whose toJSON gives null', { type: 'a', toJSON: () => null }],
    ['a boxed string', Object.assign(new String('x'), { type: 'a' })],
  ])('refuses %s as a body', (_what, body) => {
    const error = thrownBy(() => encodeTask(body, {}, LIMIT));
    expect(error).toBeInstanceOf(InvalidMessageError);
    expect(error).toHaveProperty('code', 'TASK_INVALID');
  });

  it('writes what toJSON gives, if that is an object', () => {
    const body = { type: 'a', toJSON: () => ({ short: true }) };
    expect(encodeTask(body, {}, LIMIT)).toMatchObject({ content: Buffer.from('{"short":true}') });
  });

  it.each([
    ['255 ASCII characters', 'x'.repeat(255)],
    ['255 bytes in fewer characters', `${'é'.repeat(127)}x`],
  ])('accepts a type of %s', (_what, type) => {
    expect(encodeTask({ type }, {}, LIMIT).properties.type).toBe(type);
  });

  it.each([
    ['no type', undefined],
    ['an empty type', ''],
    ['a type that is no string', 7],
    ['a type longer than 255 bytes', 'x'.repeat(256)],
    ['a type of 128 characters that are 256 bytes', 'é'.repeat(128)],
  ])('refuses %s', (_what, type) => {
    expect(thrownBy(() => encodeTask({ type }, {}, LIMIT))).toMatchObject({
      code: 'TASK_INVALID',
      message: 'A task needs a type: a string of 1 to 255 bytes.',
    });
  });

  it('does not fall back to the body for an empty given type', () => {
    expect(() => encodeTask({ type: 'a' }, { type: '' }, LIMIT)).toThrow('needs a type');
  });

  it.each(['1', 'order/4711#2', '~'.repeat(255)])('keeps the given id %p', (id) => {
    expect(encodeTask({ type: 'a' }, { id }, LIMIT)).toMatchObject({ id, properties: { messageId: id } });
  });

  it.each(['', 'a b', 'a\n', 'tab\t', 'é', '\u007f', 'x'.repeat(256)])('refuses the id %p', (id) => {
    expect(thrownBy(() => encodeTask({ type: 'a' }, { id }, LIMIT))).toMatchObject({
      code: 'TASK_INVALID',
      message: expect.stringContaining('id') as string,
    });
  });

  it.each(['', 'x', TRACEPARENT.toUpperCase(), `${TRACEPARENT}-`, `${TRACEPARENT}\n`])(
    'refuses the traceparent %p',
    (traceparent) => {
      expect(() => encodeTask({ type: 'a' }, { traceparent }, LIMIT)).toThrow('traceparent');
    },
  );

  it.each([
    ['both', { delayMs: 1, runAt: 1 }],
    ['a negative delay', { delayMs: -1 }],
    ['a delay that is a fraction', { delayMs: 0.5 }],
    ['a delay that is no number', { delayMs: NaN }],
    ['a delay without an end', { delayMs: Infinity }],
    ['a delay of more than 30 days', { delayMs: 30 * 86_400_000 + 1 }],
    ['a date that is none', { runAt: new Date('tomorrow') }],
    ['a time that is a fraction', { runAt: 0.5 }],
    ['a time of more than 30 days ahead', { runAt: Date.now() + 31 * 86_400_000 }],
    ['a text, where somebody does not check types', { runAt: '2026-12-01' as unknown as Date }],
    ['null, where somebody does not check types', { delayMs: null as unknown as number }],
  ])('refuses %s as a delay', (_what, options) => {
    expect(thrownBy(() => encodeTask({ type: 'a' }, options, LIMIT))).toMatchObject({ code: 'TASK_INVALID' });
  });

  it('accepts a body of exactly the limit and refuses one byte more, counted in bytes', () => {
    const body = { type: 'a', text: 'é' };
    const bytes = Buffer.byteLength(JSON.stringify(body));
    expect(encodeTask(body, {}, bytes).content).toHaveLength(bytes);
    expect(thrownBy(() => encodeTask(body, {}, bytes - 1))).toMatchObject({
      code: 'TASK_TOO_LARGE',
      message: expect.stringContaining(`${bytes} bytes; the limit is ${bytes - 1}`) as string,
    });
  });
});

describe('encodeJson', () => {
  it.each([
    ['EVENT_INVALID', [], LIMIT],
    ['EVENT_TOO_LARGE', { a: 1 }, 6],
  ])('names what it was given to write: %s', (code, body, limit) => {
    expect(thrownBy(() => encodeJson(body, 'EVENT', limit))).toHaveProperty('code', code);
  });
});

describe('decodeTask', () => {
  it('reads back what encodeTask wrote', () => {
    const body = { type: 'report', pages: [1, 2], note: '✓' };
    const { id, content, properties } = encodeTask(body, { traceparent: TRACEPARENT }, LIMIT);
    const task = decodeTask(arrived(content, { ...properties }));
    expect(task).toMatchObject({ id, type: 'report', body, attempt: 1, headers: { traceparent: TRACEPARENT } });
  });

  it('takes the type of a foreign task from its body, and leaves the body whole', () => {
    expect(decodeTask(arrived('{"type":"sleep","ms":5}'))).toMatchObject({
      type: 'sleep',
      body: { type: 'sleep', ms: 5 },
    });
  });

  it('prefers the type property to that of the body', () => {
    expect(decodeTask(arrived('{"type":"inner"}', { type: 'outer' })).type).toBe('outer');
  });

  it.each<[string, string, string | Buffer]>([
    ['INVALID_JSON', 'an empty body', ''],
    ['INVALID_JSON', 'a truncated body', '{"type":"a"'],
    ['INVALID_JSON', 'invalid UTF-8', Buffer.from([...Buffer.from('{"type":"a'), 0xff, ...Buffer.from('"}')])],
    ['INVALID_JSON', 'UTF-16', Buffer.from('{"type":"a"}', 'utf16le')],
    ['NOT_AN_OBJECT', 'an array', '[{"type":"a"}]'],
    ['NOT_AN_OBJECT', 'null', 'null'],
    ['NOT_AN_OBJECT', 'a string', '"a"'],
    ['NO_TYPE', 'no type', '{}'],
    ['NO_TYPE', 'an empty type', '{"type":""}'],
    ['NO_TYPE', 'a type that is no string', '{"type":1}'],
    ['NO_TYPE', 'a type longer than 255 bytes', JSON.stringify({ type: 'é'.repeat(128) })],
  ])('discards with %s: %s', (code, _what, content) => {
    const error = thrownBy(() => decodeTask(arrived(content)));
    expect(error).toBeInstanceOf(DiscardTask);
    expect(error).toHaveProperty('code', code);
  });
});

describe('identify', () => {
  it('keeps the id, type and attempt of a message whatever its body is', () => {
    const properties = { messageId: 'order-1', type: 'report', headers: { 'x-attempt': 3 } };
    expect(identify(arrived('no JSON', properties))).toMatchObject({ id: 'order-1', type: 'report', attempt: 3 });
  });

  it.each([undefined, '', 'two words', 'x'.repeat(256), 42])('makes a new id instead of %p', (messageId) => {
    expect(identify(arrived('{}', { messageId })).id).toMatch(UUID_V7);
  });

  it.each([
    [undefined],
    ['2'],
    [0],
    [-1],
    [1.5],
    [NaN],
    [null],
    [{ '!': 'timestamp', value: 2 }],
    [1_000_001],
    [2 ** 53],
  ])('counts an odd x-attempt of %p as the first attempt', (attempt) => {
    expect(identify(arrived('{}', { headers: { 'x-attempt': attempt } })).attempt).toBe(1);
  });

  it.each([
    ['the header', { headers: { 'x-enqueued-at-ms': 1_700_000_000_123 }, timestamp: 1 }, 1_700_000_000_123],
    ['the timestamp, if the header is odd', { headers: { 'x-enqueued-at-ms': 'now' }, timestamp: 1_700 }, 1_700_000],
    ['the timestamp, without headers', { timestamp: 1_700 }, 1_700_000],
  ])('takes the time of enqueueing from %s', (_what, properties, expected) => {
    expect(identify(arrived('{}', properties)).enqueuedAtMs).toBe(expected);
  });

  it.each([{}, { timestamp: 0 }, { timestamp: 'x', headers: { 'x-enqueued-at-ms': -1 } }])(
    'takes the time of arrival where the sender told none: %p',
    (properties) => {
      const before = Date.now();
      expect(identify(arrived('{}', properties)).enqueuedAtMs).toBeGreaterThanOrEqual(before);
    },
  );
});
