import { DiscardTask, MercuryError, PostponeTask, RetryTask } from '../errors';
import { decideFailure } from './outcome';
import type { RetryPolicy } from './retry-policy';

const postpone = { maxCount: 3, maxTotalMs: 10_000 };
const policy: RetryPolicy = { maxAttempts: 4, delaysMs: [1_000, 10_000], postpone };

describe('decideFailure', () => {
  it.each([
    [1, 1_000],
    [2, 10_000],
    [3, 10_000],
  ])('retries attempt %d at the level of %d ms', (attempt, levelMs) => {
    expect(decideFailure(new Error('no'), attempt, policy)).toEqual({
      kind: 'retry',
      levelMs,
      failure: { code: 'HANDLER_FAILED', message: 'Error: no' },
    });
  });

  it.each([4, 5, 1_000])('ends attempt %d as a dead letter: no attempts are left', (attempt) => {
    const failure = { code: 'HANDLER_FAILED', message: 'Error: no' };
    expect(decideFailure(new Error('no'), attempt, policy)).toEqual({ kind: 'dead', failure });
    expect(decideFailure(new RetryTask('again'), attempt, policy)).toMatchObject({ kind: 'dead' });
  });

  it.each([
    [1, 10_000],
    [2, 60_000],
    [3, 60_000],
  ])('rounds what one task type wants after attempt %d up to a level of the queue: %d ms', (attempt, levelMs) => {
    const own: RetryPolicy = { ...policy, maxAttempts: 9, delaysMs: [2_000, 30_000, 900_000] };
    expect(decideFailure(new Error('no'), attempt, own, [1_000, 10_000, 60_000])).toMatchObject({ levelMs });
  });

  it('never retries where one attempt is all', () => {
    expect(decideFailure(new Error('no'), 1, { ...policy, maxAttempts: 1 }).kind).toBe('dead');
  });

  it('ends a discarded task as a dead letter at once, with its reason', () => {
    const error = new DiscardTask('Gone for good.', { code: 'ACCOUNT_CLOSED' });
    expect(decideFailure(error, 1, policy)).toEqual({
      kind: 'dead',
      failure: { code: 'ACCOUNT_CLOSED', message: 'Gone for good.' },
    });
  });

  it.each([
    [undefined, 10_000],
    [0, 1_000],
    [999, 1_000],
    [1_001, 10_000],
    [86_400_000, 10_000],
  ])('gives a RetryTask that asks for %p ms, on attempt 2, the level of %d ms', (delayMs, levelMs) => {
    const error = new RetryTask('Come back.', delayMs === undefined ? {} : { delayMs });
    expect(decideFailure(error, 2, policy)).toEqual({
      kind: 'retry',
      levelMs,
      failure: { code: 'RETRY_REQUESTED', message: 'Come back.' },
    });
  });

  it('keeps the code of an error of our own', () => {
    const error = new MercuryError('HANDLER_TIMEOUT', 'Late.');
    expect(decideFailure(error, 1, policy)).toMatchObject({ failure: { code: 'HANDLER_TIMEOUT', message: 'Late.' } });
  });
});

describe('a PostponeTask', () => {
  const DAY_MS = 86_400_000;
  const decide = (delayMs: number, soFar = { count: 0, totalMs: 0 }, attempt = 1, limits = postpone) =>
    decideFailure(new PostponeTask(delayMs), attempt, { ...policy, postpone: limits }, policy.delaysMs, soFar);

  it('is later, and no failure: also at the last attempt', () => {
    const reason = { code: 'POSTPONED', message: 'The handler has postponed the task.' };
    expect(decide(5_000)).toEqual({ kind: 'postponed', delayMs: 5_000, reason });
    expect(decide(5_000, { count: 2, totalMs: 5_000 }, 4)).toMatchObject({ kind: 'postponed', delayMs: 5_000 });
  });

  it('brings its own message, code and cause', () => {
    const error = new PostponeTask(1_000, 'The API has had enough.', { code: 'API_429', cause: new Error('429') });
    expect(error.cause).toBeInstanceOf(Error);
    expect(decideFailure(error, 1, policy)).toMatchObject({ kind: 'postponed', reason: { code: 'API_429' } });
  });

  it.each([
    [0, 0],
    [-5, 0],
    [0.2, 1],
  ])('of %p ms waits for %p', (delayMs, waitsMs) => {
    expect(decide(delayMs)).toMatchObject({ kind: 'postponed', delayMs: waitsMs });
  });

  it.each<[string, number, { count: number; totalMs: number }]>([
    ['too often', 1, { count: 3, totalMs: 3 }],
    ['for too long at once', 10_001, { count: 0, totalMs: 0 }],
    ['for too long in all', 5_001, { count: 1, totalMs: 5_000 }],
    ['for ever', Infinity, { count: 0, totalMs: 0 }],
  ])(
    '%s is a failure like any other: tried again by policy, and dead after the last attempt',
    (_what, delayMs, soFar) => {
      expect(decide(delayMs, soFar)).toMatchObject({
        kind: 'retry',
        levelMs: 1_000,
        failure: { code: 'POSTPONED_TOO_LONG', message: expect.stringContaining('postponed') as string },
      });
      expect(decide(delayMs, soFar, 4)).toMatchObject({ kind: 'dead', failure: { code: 'POSTPONED_TOO_LONG' } });
    },
  );

  it('tells in the failure why it was postponed', () => {
    const error = new PostponeTask(10_001, 'Order 7 is locked.', { code: 'LOCKED' });
    const { failure } = decideFailure(error, 1, policy) as { failure: { message: string } };
    expect(failure.message).toContain('Order 7 is locked.');
  });

  it('never waits longer at once than a task may be delayed, whatever is allowed in all', () => {
    const limits = { maxCount: 3, maxTotalMs: 300 * DAY_MS };
    expect(decide(30 * DAY_MS, undefined, 1, limits).kind).toBe('postponed');
    expect(decide(30 * DAY_MS + 1, undefined, 1, limits)).toMatchObject({ failure: { code: 'POSTPONED_TOO_LONG' } });
  });

  it('without a time is a failure that says so', () => {
    expect(decide(NaN)).toMatchObject({ kind: 'retry', failure: { code: 'POSTPONE_INVALID' } });
    expect(decide('5' as unknown as number)).toMatchObject({ kind: 'retry', failure: { code: 'POSTPONE_INVALID' } });
  });
});
