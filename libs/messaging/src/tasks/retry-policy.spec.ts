import { delayOfAttemptMs, levelForDelayMs, type RetryPolicy } from './retry-policy';

const policy: RetryPolicy = {
  maxAttempts: 6,
  delaysMs: [1_000, 10_000, 60_000],
  postpone: { maxCount: 0, maxTotalMs: 0 },
};

describe('delayOfAttemptMs', () => {
  it.each([
    [1, 1_000],
    [2, 10_000],
    [3, 60_000],
    [4, 60_000],
    [1_000, 60_000],
  ])('after attempt %d waits %d ms: the levels in turn, the last one again and again', (attempt, expected) => {
    expect(delayOfAttemptMs(attempt, policy)).toBe(expected);
  });
});

describe('levelForDelayMs', () => {
  it.each([
    [-5, 1_000],
    [0, 1_000],
    [1_000, 1_000],
    [1_001, 10_000],
    [10_000, 10_000],
    [59_999, 60_000],
    [60_001, 60_000],
    [Infinity, 60_000],
  ])('for %d ms picks the level of %d ms: never an earlier one while there is a longer one', (delayMs, expected) => {
    expect(levelForDelayMs(delayMs, policy.delaysMs)).toBe(expected);
  });
});
