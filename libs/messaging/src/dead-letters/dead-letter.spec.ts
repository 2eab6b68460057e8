import { type Identity, replaysOf } from '../tasks/codec';
import { deadLetterHeaders } from '../tasks/forwarding';
import { deadLetterOf, historyOf, identityOfLetter, summaryOf } from './dead-letter';

const NOW_MS = 1_800_000_000_000;
const body = Buffer.from('{"type":"report","month":11}');
const identity = (headers: Record<string, unknown>, more: Partial<Identity> = {}): Identity => ({
  id: 'order-1',
  type: 'report',
  attempt: 3,
  enqueuedAtMs: NOW_MS,
  headers,
  ...more,
});
const ours = {
  'x-error-code': 'GONE',
  'x-error-message': 'Gone.',
  'x-origin-queue': 'reports',
  'x-dead-at-ms': NOW_MS,
};
const brokers = (reason: unknown, time: unknown = { '!': 'timestamp', value: NOW_MS / 1_000 }) => ({
  'x-death': [
    { reason, queue: 'reports', time, count: 1 },
    { reason: 'expired', queue: 'reports.retry.1000' },
  ],
});

describe('deadLetterHeaders', () => {
  it('say why, after how many attempts, from where and when', () => {
    expect(deadLetterHeaders({ code: 'GONE', message: 'Gone.' }, 3, 'reports', 1_000, 2_000)).toEqual({
      'x-attempt': 3,
      'x-error-code': 'GONE',
      'x-error-message': 'Gone.',
      'x-origin-queue': 'reports',
      'x-first-failed-at-ms': 1_000,
      'x-last-failed-at-ms': 2_000,
      'x-dead-at-ms': 2_000,
    });
  });
});

describe('summaryOf', () => {
  it('tells what our headers tell', () => {
    expect(summaryOf(identity({ ...ours, 'x-replays': 2 }), body, 'others')).toEqual({
      id: 'order-1',
      type: 'report',
      code: 'GONE',
      message: 'Gone.',
      attempt: 3,
      replays: 2,
      originQueue: 'reports',
      deadAtMs: NOW_MS,
      bodyBytes: body.length,
    });
  });

  it.each<[unknown, string]>([
    ['delivery_limit', 'DELIVERY_LIMIT'],
    ['rejected', 'REJECTED'],
    ['a\u0000b', 'A_B'],
  ])('derives the code of a letter that the broker made from its x-death: %j', (reason, code) => {
    const summary = summaryOf(identity(brokers(reason), { attempt: 1 }), body, 'reports');
    expect(summary).toMatchObject({ code, originQueue: 'reports', deadAtMs: NOW_MS });
    expect(summary.message).toContain('in queue "reports"');
  });

  it.each<[string, Record<string, unknown>]>([
    ['no headers', {}],
    ['an x-death that is none', { 'x-death': 'yes' }],
    ['an empty x-death', { 'x-death': [] }],
    ['an x-death of nothing', { 'x-death': [null] }],
    ['headers of other types', { 'x-error-code': 5, 'x-origin-queue': {}, 'x-dead-at-ms': 'now', 'x-replays': -1 }],
    [
      'a time that no date can hold',
      { 'x-dead-at-ms': 9e15, 'x-death': [{ time: { '!': 'timestamp', value: 9e15 } }] },
    ],
  ])('tells what there is to tell of a letter with %s', (_what, headers) => {
    const summary = summaryOf(identity(headers, { type: '' }), body, 'reports');
    expect(summary).toMatchObject({ code: 'UNKNOWN', type: 'report', originQueue: 'reports', replays: 0 });
    expect(summary).not.toHaveProperty('deadAtMs');
  });

  it('tells no more than a worker of ours would have written', () => {
    const long = 'x'.repeat(50_000);
    const forged = { 'x-error-code': long, 'x-error-message': long, 'x-origin-queue': long, 'x-replays': 2 ** 53 - 1 };
    const summary = summaryOf(identity(forged), body, 'reports');
    expect(summary).toMatchObject({ originQueue: 'reports', replays: 0 });
    expect([summary.code.length, summary.message.length]).toEqual([255, 1_000]);
  });

  it('has no type where neither a property nor the body names one', () => {
    for (const content of ['{"type":5}', '{}', '[', '']) {
      expect(summaryOf(identity(ours, { type: '' }), Buffer.from(content), 'reports').type).toBe('');
    }
  });
});

describe('deadLetterOf', () => {
  it('shows the body as JSON, or as Base64 when it is no JSON object', () => {
    expect(deadLetterOf(identity(ours), body, 'reports').body).toEqual({ type: 'report', month: 11 });
    const bytes = deadLetterOf(identity(ours), Buffer.from([0, 255]), 'reports');
    expect(bytes).toMatchObject({ bodyBase64: 'AP8=' });
    expect(bytes).not.toHaveProperty('body');
  });

  it('tells when the task was put and replayed, only where its headers say so', () => {
    const headers = { ...ours, 'x-enqueued-at-ms': 5, 'x-replayed-at-ms': 6 };
    expect(deadLetterOf(identity(headers), body, 'reports')).toMatchObject({ enqueuedAtMs: 5, replayedAtMs: 6 });
    expect(deadLetterOf(identity(ours), body, 'reports')).not.toHaveProperty('enqueuedAtMs');
  });
});

describe('historyOf', () => {
  const first = { attempt: 1, code: 'LATE', message: 'Late.' };
  const header = JSON.stringify({ attempts: [first], omitted: 2 });

  it('is what the letter brings', () => {
    expect(historyOf(identity({ ...ours, 'x-history': header }))).toEqual({ attempts: [first], omitted: 2 });
  });

  it('of a letter of an older version is made of its headers', () => {
    const attempts = [{ attempt: 3, code: 'GONE', message: 'Gone.', startedAtMs: NOW_MS }];
    expect(historyOf(identity(ours))).toEqual({ attempts, omitted: 0 });
  });

  it('of a letter that the broker made ends with what the broker did', () => {
    const { attempts, omitted } = historyOf(
      identity({ ...brokers('delivery_limit'), 'x-history': header, 'x-replays': 1 }),
    );
    expect(attempts).toMatchObject([first, { attempt: 3, replay: 1, code: 'DELIVERY_LIMIT', startedAtMs: NOW_MS }]);
    expect(omitted).toBe(2);
  });
});

describe('identityOfLetter', () => {
  it('leaves an id as it is', () => {
    expect(identityOfLetter(identity({}), 'order-1', body).id).toBe('order-1');
  });

  it('makes the same id at each reading for a letter that has none', () => {
    const [one, two] = [identity({}, { id: 'made at random' }), identity({}, { id: 'made again' })];
    expect(identityOfLetter(one, undefined, body).id).toBe(identityOfLetter(two, undefined, body).id);
    expect(identityOfLetter(one, undefined, body).id).not.toBe(identityOfLetter(one, undefined, Buffer.from('{}')).id);
  });
});

it('counts replays only by a number that can be one', () => {
  expect([1, 0, -1, 1.5, '1', undefined].map((replays) => replaysOf(identity({ 'x-replays': replays })))).toEqual([
    1, 0, 0, 0, 0, 0,
  ]);
});
