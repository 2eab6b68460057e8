import { DiscardTask, MercuryError, RetryTask } from '../errors';
import { decideFailure } from './outcome';
import type { RetryPolicy } from './retry-policy';

const policy: RetryPolicy = { maxAttempts: 4, delaysMs: [1_000, 10_000] };

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
    const own: RetryPolicy = { maxAttempts: 9, delaysMs: [2_000, 30_000, 900_000] };
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
