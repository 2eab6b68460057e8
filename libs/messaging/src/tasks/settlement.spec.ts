import { EventEmitter } from 'node:events';
import type { ConfirmChannel, Message, Options } from 'amqplib';
import { FakeLink } from '../../../../test/support/fake-link';
import { Connection } from '../broker/connection';
import { Publisher } from '../broker/publisher';
import { systemClock } from '../clock';
import { Events } from '../events';
import { identify } from './codec';
import type { Outcome } from './outcome';
import { Settlement, replayOf } from './settlement';

const PUBLISH_TIMEOUT_MS = 1_000;
const NOW_MS = 1_800_000_000_000;
const failure = { code: 'GONE', message: 'Gone.' };
const retry: Outcome = { kind: 'retry', levelMs: 1_000, failure };
const dead: Outcome = { kind: 'dead', failure };
const postponed: Outcome = { kind: 'postponed', delayMs: 5_000, reason: { code: 'LOCKED', message: 'Locked.' } };

const HISTORY = '{"attempts":[{"attempt":1,"code":"GONE","message":"Gone."}],"omitted":0}';

interface Sent {
  exchange: string;
  routingKey: string;
  content: Buffer;
  options: Options.Publish;
  confirm(nack: Error | null): void;
}

/** Records in one list, for all channels, what is told to the broker and in which order. */
class FakeChannel extends EventEmitter {
  readonly sent: Sent[] = [];
  closed = false;

  constructor(private readonly log: string[]) {
    super();
  }

  publish(exchange: string, routingKey: string, content: Buffer, options: Options.Publish, confirm: Sent['confirm']) {
    this.log.push(`publish ${exchange}/${routingKey}`);
    this.sent.push({ exchange, routingKey, content, options, confirm });
  }

  async waitForConfirms(): Promise<void> {}

  async close(): Promise<void> {}

  ack(message: Message): void {
    if (this.closed) throw new Error('Channel closed');
    this.log.push(`ack ${message.fields.deliveryTag}`);
  }

  nack(message: Message, allUpTo: boolean, requeue: boolean): void {
    if (this.closed) throw new Error('Channel closed');
    this.log.push(`nack ${message.fields.deliveryTag} allUpTo=${allUpTo} requeue=${requeue}`);
  }
}

let log: string[];
let out: FakeChannel;
let consuming: FakeChannel;
let lost: AbortController;
let settlement: Settlement;
let problems: string[];

/** How many deliveries are held, as readiness tells. */
const held = () => Number(/^\d+/.exec(settlement.problem?.message ?? '0'));

beforeEach(async () => {
  jest.useFakeTimers({ now: NOW_MS });
  log = [];
  out = new FakeChannel(log);
  consuming = new FakeChannel(log);
  lost = new AbortController();
  const link = new FakeLink();
  link.connect({ createConfirmChannel: async () => out });
  const publishing = new Connection(link);
  const publisher = new Publisher(publishing, async () => undefined, PUBLISH_TIMEOUT_MS, new Events());
  // Its levels for delays are there already.
  publisher.extend();
  publisher.open();
  await jest.advanceTimersByTimeAsync(0);
  problems = [];
  settlement = new Settlement(publisher, 'reports', systemClock, (problem) => problems.push(problem.message));
});
afterEach(() => jest.useRealTimers());

function arrived(properties: Record<string, unknown> = {}): Message {
  const content = Buffer.from('{"type":"report"}');
  return { content, fields: { deliveryTag: 7 }, properties } as unknown as Message;
}

function settle(outcome: Outcome, message = arrived({ messageId: '1' })): Promise<boolean> {
  const channel = consuming as unknown as ConfirmChannel;
  return settlement.settle({ message, channel, lost: lost.signal }, identify(message), outcome);
}

/** The message of the publish number `index`. */
function sent(index: number): Sent {
  const found = out.sent[index];
  if (!found) throw new Error(`Only ${out.sent.length} publishes.`);
  return found;
}

const headersOf = ({ options }: Sent) => options.headers as Record<string, unknown>;

describe('success', () => {
  it('is an ack and nothing else', async () => {
    expect(await settle({ kind: 'success' })).toBe(true);
    expect(log).toEqual(['ack 7']);
  });
});

describe('released', () => {
  it('gives the message back untouched: costs no attempt', async () => {
    expect(await settle({ kind: 'released' })).toBe(true);
    expect(log).toEqual(['nack 7 allUpTo=false requeue=true']);
  });
});

describe.each([
  ['retry', retry, 'publish /reports.retry.1000'],
  ['dead', dead, 'publish mercury.dead/reports'],
  ['postponed', postponed, 'publish /reports.delay.1000'],
])('%s', (_kind, outcome, publish) => {
  it('is published elsewhere, confirmed, and only then acked', async () => {
    const settled = settle(outcome);
    await jest.advanceTimersByTimeAsync(PUBLISH_TIMEOUT_MS - 1);
    expect(log).toEqual([publish]);
    sent(0).confirm(null);
    expect(await settled).toBe(true);
    expect(log).toEqual([publish, 'ack 7']);
  });

  it.each<[string, () => Promise<void>]>([
    ['nacked', async () => sent(0).confirm(new Error('message nacked'))],
    [
      'returned',
      async () => {
        out.emit('return', { properties: { messageId: '1' }, fields: { routingKey: sent(0).routingKey } });
        sent(0).confirm(null);
      },
    ],
  ])('keeps the delivery unacked after a publish that is %s, and tries until one is confirmed', async (_what, fail) => {
    const settled = settle(outcome);
    expect(held()).toBe(0);
    await fail();
    await jest.advanceTimersByTimeAsync(0);
    expect(held()).toBe(1);
    await jest.advanceTimersByTimeAsync(250);
    sent(1).confirm(new Error('message nacked'));
    await jest.advanceTimersByTimeAsync(450);
    expect(log).toEqual([publish, publish, publish]);
    expect(held()).toBe(1);
    sent(2).confirm(null);
    expect(await settled).toBe(true);
    expect(log.at(-1)).toBe('ack 7');
    expect(held()).toBe(0);
  });

  it('is published once, however long its confirm takes, and held meanwhile', async () => {
    const settled = settle(outcome);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(log).toEqual([publish]);
    expect(held()).toBe(1);
    expect(problems).toHaveLength(1);
    sent(0).confirm(null);
    expect(await settled).toBe(true);
    expect(settlement.problem).toBeUndefined();
  });

  it('is cut down to what it needs when it cannot be written: else it would be held for ever', async () => {
    const message = arrived({ messageId: '1', type: 'report', headers: { 'x-attempt': 2, custom: 'theirs' } });
    jest.spyOn(out, 'publish').mockImplementationOnce(() => {
      throw new RangeError('Too long.');
    });
    const settled = settle(outcome, message);
    await jest.advanceTimersByTimeAsync(300);
    expect(headersOf(sent(0))).not.toHaveProperty('custom');
    expect(sent(0).options).toMatchObject({ messageId: '1', type: 'report', mandatory: true });
    sent(0).confirm(null);
    expect(await settled).toBe(true);
  });

  it('ends without an ack when the delivery is lost meanwhile, and is not published again', async () => {
    const settled = settle(outcome);
    sent(0).confirm(new Error('message nacked'));
    await jest.advanceTimersByTimeAsync(0);
    lost.abort();
    expect(await settled).toBe(false);
    expect(held()).toBe(0);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(log).toEqual([publish]);
  });

  it('does not ack when the delivery was lost before the confirm came', async () => {
    const settled = settle(outcome);
    lost.abort();
    sent(0).confirm(null);
    expect(await settled).toBe(false);
    expect(log).toEqual([publish]);
  });

  it('keeps the bytes and the identity, as a persistent message that must find a queue', async () => {
    const properties = {
      messageId: 'order-1',
      type: 'report',
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      timestamp: 1_700_000_000,
      appId: 'shop',
      expiration: '5',
      correlationId: 'c-1',
      replyTo: 'elsewhere',
    };
    const message = arrived(properties);
    void settle(outcome, message);
    const { expiration: _e, ...kept } = properties;
    expect({ ...sent(0).options, headers: {} }).toEqual({ ...kept, headers: {}, deliveryMode: 2, mandatory: true });
    expect(sent(0).content).toBe(message.content);
  });

  it('gives a foreign task the id it got on arrival, and leaves its type in its body', async () => {
    const message = arrived();
    const identity = identify(message);
    const channel = consuming as unknown as ConfirmChannel;
    void settlement.settle({ message, channel, lost: lost.signal }, identity, outcome);
    expect(sent(0).options.messageId).toBe(identity.id);
    expect(sent(0).options).not.toHaveProperty('type');
  });

  it('carries our own headers and those of the caller: a broker may take its own for a cycle', async () => {
    const headers = {
      'x-attempt': 2,
      'x-enqueued-at-ms': 1_000,
      'x-first-failed-at-ms': 2_000,
      'x-last-failed-at-ms': 3_000,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'x-death': [{ queue: 'reports' }],
      'x-first-death-queue': 'reports',
      'x-last-death-reason': 'expired',
      'x-delivery-count': 3,
      CC: ['copy'],
      custom: 'theirs',
    };
    void settle(outcome, arrived({ headers }));
    expect(headersOf(sent(0))).toMatchObject({
      'x-enqueued-at-ms': 1_000,
      'x-first-failed-at-ms': 2_000,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      custom: 'theirs',
    });
    const known =
      /^(traceparent|custom|x-(attempt|execution|enqueued-at-ms|(first|last)-failed-at-ms|error-.*|origin-queue|dead-at-ms|history|not-before-ms|postponed(-ms)?))$/;
    expect(Object.keys(headersOf(sent(0))).filter((name) => !known.test(name))).toEqual([]);
  });
});

it('counts the attempts: a retry is the next one, a dead letter tells the last one and why', () => {
  const message = arrived({ headers: { 'x-attempt': 2 } });
  void settle(retry, message);
  void settle(dead, message);
  expect(headersOf(sent(0))).toMatchObject({ 'x-attempt': 3, 'x-first-failed-at-ms': NOW_MS });
  expect(headersOf(sent(0))).not.toHaveProperty('x-error-code');
  expect(headersOf(sent(1))).toMatchObject({
    'x-attempt': 2,
    'x-error-code': 'GONE',
    'x-error-message': 'Gone.',
    'x-origin-queue': 'reports',
    'x-dead-at-ms': NOW_MS,
  });
});

it('says of a task that was postponed when it may run, how often and for how long it was, and counts no attempt', () => {
  const before = { 'x-attempt': 2, 'x-first-failed-at-ms': 1_000, 'x-history': HISTORY };
  void settle(postponed, arrived({ headers: before }));
  const first = { 'x-not-before-ms': NOW_MS + 5_000, 'x-postponed': 1, 'x-postponed-ms': 5_000, 'x-execution': 3 };
  expect(headersOf(sent(0))).toMatchObject({ ...before, ...first });
  expect(headersOf(sent(0))).not.toHaveProperty('x-last-failed-at-ms');
  void settle(postponed, arrived({ headers: { ...before, ...first } }));
  expect(headersOf(sent(1))).toMatchObject({ 'x-postponed': 2, 'x-postponed-ms': 10_000, 'x-execution': 4 });
});

it('counts the executions of a task, and never from the beginning again', () => {
  const executionAfter = (outcome: Outcome, headers: Record<string, unknown>) => {
    void settle(outcome, arrived({ headers }));
    return headersOf(sent(out.sent.length - 1))['x-execution'];
  };
  expect(executionAfter(retry, {})).toBe(2);
  expect(executionAfter(retry, { 'x-attempt': 2 })).toBe(3);
  expect(executionAfter(retry, { 'x-attempt': 2, 'x-execution': 9 })).toBe(10);
  expect(executionAfter(dead, { 'x-attempt': 2, 'x-execution': 9 })).toBe(9);
  for (const forged of ['9', 0, -1, 1.5, 1_000_001]) expect(executionAfter(retry, { 'x-execution': forged })).toBe(2);
  const past = { 'x-attempt': 6, 'x-execution': 9, 'x-postponed': 4, 'x-postponed-ms': 5 };
  const letter = arrived({ messageId: '1', headers: past });
  const replay = replayOf(letter, identify(letter), 'reports', { attempts: [], omitted: 0 }, NOW_MS);
  const headers = replay.properties.headers as object;
  expect(headers).toMatchObject({ 'x-attempt': 1, 'x-execution': 10 });
  // How often it was postponed counts anew.
  expect(Object.keys(headers).filter((name) => name.includes('postponed'))).toEqual([]);
});

it('lets a task with a priority wait where it passes by a worker on its way back, and tells the priority in a header', () => {
  void settle(retry, arrived({ messageId: '1', priority: 9, headers: { 'x-tenant': 'acme' } }));
  expect(log).toEqual(['publish /reports.delay.1000']);
  expect(sent(0).options).not.toHaveProperty('priority');
  const waiting = { 'x-attempt': 2, 'x-not-before-ms': NOW_MS + 1_000, 'x-priority': 9, 'x-tenant': 'acme' };
  expect(headersOf(sent(0))).toMatchObject(waiting);
  void settle(dead, arrived({ messageId: '1', headers: { 'x-priority': 9 } }));
  expect(sent(1).options).toMatchObject({ priority: 9 });
});

it('adds each failed attempt to the history that the task brings, also to one that is garbage', () => {
  const run = { durationMs: 1_500.4, stack: ['at render (report.js:1:1)'] };
  const settleWith = (headers: Record<string, unknown>, outcome: Outcome) => {
    const message = arrived({ messageId: '1', headers });
    const channel = consuming as unknown as ConfirmChannel;
    void settlement.settle({ message, channel, lost: lost.signal }, identify(message), outcome, run);
  };
  settleWith({}, retry);
  settleWith({ 'x-attempt': 2, 'x-history': headersOf(sent(0))['x-history'] }, dead);
  settleWith({ 'x-history': '{"attempts":7}', 'x-replays': 2 }, dead);
  const historyOf = (index: number) => JSON.parse(String(headersOf(sent(index))['x-history'])) as unknown;
  const attempt = {
    attempt: 1,
    startedAtMs: NOW_MS - 1_500,
    durationMs: 1_500,
    worker: expect.stringMatching(/^.+:\d+$/) as string,
    ...failure,
    stack: run.stack,
  };
  expect(historyOf(1)).toEqual({ attempts: [attempt, { ...attempt, attempt: 2 }], omitted: 0 });
  expect(historyOf(2)).toEqual({ attempts: [{ ...attempt, replay: 2 }], omitted: 0 });
  expect(headersOf(sent(2))).toMatchObject({ 'x-replays': 2 });
});

it('carries the history of a suspect along', async () => {
  const kept = { 'x-history': HISTORY, 'x-replays': 1, 'x-replayed-at-ms': 5_000 };
  const message = arrived({ messageId: '1', headers: kept });
  const channel = consuming as unknown as ConfirmChannel;
  void settlement.setAside({ message, channel, lost: lost.signal }, identify(message));
  expect(headersOf(sent(0))).toMatchObject(kept);
});

it('makes of a dead letter a task again: its first attempt, with its history and the count of its replays', () => {
  const headers = { 'x-attempt': 6, 'x-enqueued-at-ms': 1_000, 'x-error-code': 'GONE', 'x-dead-at-ms': 2_000 };
  const message = arrived({ messageId: 'order-1', type: 'report', headers: { ...headers, 'x-death': [{}] } });
  const history = { attempts: [{ attempt: 6, ...failure }], omitted: 4 };
  const replay = replayOf(message, identify(message), 'reports', history, Date.now());
  // Not patient: whoever replays waits for the answer.
  const properties = { mandatory: true };
  expect(replay).toMatchObject({ exchange: 'mercury.tasks', routingKey: 'reports', patient: false, properties });
  expect(replay.content).toBe(message.content);
  expect(replay.properties).toEqual({
    messageId: 'order-1',
    type: 'report',
    deliveryMode: 2,
    mandatory: true,
    headers: {
      'x-attempt': 1,
      'x-execution': 7,
      'x-enqueued-at-ms': 1_000,
      'x-history': JSON.stringify(history),
      'x-replays': 1,
      'x-replayed-at-ms': NOW_MS,
    },
  });
});

it('counts each delivery that waits to be stored once', async () => {
  void settle(retry);
  void settle(dead);
  for (const { confirm } of [...out.sent]) confirm(new Error('message nacked'));
  await jest.advanceTimersByTimeAsync(0);
  expect(held()).toBe(2);
});

describe.each<[string, Outcome]>([
  ['success', { kind: 'success' }],
  ['released', { kind: 'released' }],
  ['retry', retry],
  ['dead', dead],
  ['postponed', postponed],
])('a delivery that is lost already (%s)', (_kind, outcome) => {
  it('is not touched: the broker gives it to somebody else', async () => {
    lost.abort();
    expect(await settle(outcome)).toBe(false);
    expect(log).toEqual([]);
  });

  it('does not throw when its channel turns out to be closed', async () => {
    consuming.closed = true;
    const settled = settle(outcome);
    out.sent[0]?.confirm(null);
    expect(await settled).toBe(false);
    expect(log.filter((line) => !line.startsWith('publish'))).toEqual([]);
  });
});

describe('a delayed task', () => {
  const headers = {
    'x-attempt': 2,
    'x-enqueued-at-ms': 1_000,
    'x-not-before-ms': NOW_MS + 5_000,
    'x-death': [{ queue: 'reports.delay.1000' }],
    'x-delivery-count': 1,
  };

  function sendOn(notBeforeMs: number | undefined): Promise<boolean> {
    const message = arrived({ messageId: '1', type: 'report', headers });
    const channel = consuming as unknown as ConfirmChannel;
    return settlement.sendOn({ message, channel, lost: lost.signal }, identify(message), notBeforeMs);
  }

  it.each([
    [86_400_000, 'reports.delay.86400000'],
    [5_000, 'reports.delay.1000'],
    [500, 'reports.due'],
  ])('with %d ms left goes where it waits, with its time and without what the broker wrote', async (leftMs, queue) => {
    const sentOn = sendOn(NOW_MS + leftMs);
    // The levels are declared first.
    await jest.advanceTimersByTimeAsync(0);
    expect(log).toEqual([`publish /${queue}`]);
    expect(headersOf(sent(0))).toEqual({
      'x-attempt': 2,
      'x-enqueued-at-ms': 1_000,
      'x-not-before-ms': NOW_MS + leftMs,
    });
    sent(0).confirm(null);
    expect(await sentOn).toBe(true);
    expect(log.at(-1)).toBe('ack 7');
  });

  it('goes to the work queue when it is due, as a task like any other', async () => {
    const sentOn = sendOn(undefined);
    expect(log).toEqual(['publish mercury.tasks/reports']);
    expect(headersOf(sent(0))).toEqual({ 'x-attempt': 2, 'x-enqueued-at-ms': 1_000 });
    sent(0).confirm(null);
    expect(await sentOn).toBe(true);
  });

  it('goes to a shorter level when the first one refused it for so long that it would be late', async () => {
    const sentOn = sendOn(NOW_MS + 10_000);
    // The levels are declared first.
    await jest.advanceTimersByTimeAsync(0);
    sent(0).confirm(new Error('message nacked'));
    await jest.advanceTimersByTimeAsync(300);
    sent(1).confirm(null);
    expect(await sentOn).toBe(true);
    expect(log).toEqual(['publish /reports.delay.10000', 'publish /reports.delay.1000', 'ack 7']);
  });
});
