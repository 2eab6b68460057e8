import { DELAY_LEVELS_MS, LONGEST_DELAY_MS, delayLevelMs, notBeforeMsOf } from './delay';

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;

describe('delayLevelMs', () => {
  it.each([
    [-1, undefined],
    [0, undefined],
    [1, undefined],
    [999, undefined],
    [1_000, 1_000],
    [1_001, 1_000],
    [9_999, 1_000],
    [10_000, 10_000],
    [59_999, 10_000],
    [60_000, 60_000],
    [599_999, 60_000],
    [600_000, 600_000],
    [3_599_999, 600_000],
    [3_600_000, 3_600_000],
    [21_599_999, 3_600_000],
    [21_600_000, 21_600_000],
    [86_399_999, 21_600_000],
    [86_400_000, 86_400_000],
    [LONGEST_DELAY_MS, 86_400_000],
  ])('with %d ms left picks the longest level that is not longer: %p', (remainingMs, expected) => {
    expect(delayLevelMs(remainingMs)).toBe(expected);
  });

  it.each([
    999,
    1_000,
    1_001,
    9_999,
    10_001,
    11_500,
    3_600_001,
    DAY_MS - 1,
    29 * DAY_MS + 86_399_999,
    LONGEST_DELAY_MS,
  ])('brings a delay of %d ms to its end, never too far, with less than a second left to hold', (delayMs) => {
    // What each level takes beyond its time.
    const overheadMs = 13;
    let remainingMs = delayMs;
    let hops = 0;
    for (let levelMs = delayLevelMs(remainingMs); levelMs; levelMs = delayLevelMs(remainingMs)) {
      expect(levelMs).toBeLessThanOrEqual(remainingMs);
      remainingMs -= levelMs + overheadMs;
      hops += 1;
    }
    expect(remainingMs).toBeLessThan(DELAY_LEVELS_MS[0]!);
    expect(remainingMs).toBeGreaterThanOrEqual(-overheadMs);
    expect(hops).toBeLessThanOrEqual(66);
  });
});

describe('notBeforeMsOf', () => {
  it.each([
    ['soon', NOW_MS + 5],
    ['now', NOW_MS],
    ['the past', NOW_MS - 5],
    ['the longest delay', NOW_MS + LONGEST_DELAY_MS],
  ])('reads %s', (_what, header) => {
    expect(notBeforeMsOf(header, NOW_MS)).toBe(header);
  });

  it('is never early by a fraction', () => {
    expect(notBeforeMsOf(NOW_MS + 0.5, NOW_MS)).toBe(NOW_MS + 1);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', String(NOW_MS + 5_000)],
    ['no number', NaN],
    ['no end', Infinity],
    ['beyond the longest delay', NOW_MS + LONGEST_DELAY_MS + 1],
    ['microseconds', (NOW_MS + 5_000) * 1_000],
    ['a timestamp of the protocol', { '!': 'timestamp', value: NOW_MS + 5_000 }],
  ])('takes %s for now: it must not wait for ever', (_what, header) => {
    expect(notBeforeMsOf(header, NOW_MS)).toBe(NOW_MS);
  });
});
