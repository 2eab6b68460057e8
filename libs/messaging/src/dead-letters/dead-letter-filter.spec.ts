import type { DeadLetterSummary } from './dead-letter';
import { byDeath, isNarrow, matcherOf, pageOf, timeMsOf, type DeadLetterFilter } from './dead-letter-filter';

const letter = (id: string, deadAtMs?: number, more: Partial<DeadLetterSummary> = {}): DeadLetterSummary => ({
  id,
  type: 'report',
  code: 'GONE',
  message: 'Gone.',
  attempt: 1,
  replays: 0,
  originQueue: 'reports',
  ...(deadAtMs === undefined ? {} : { deadAtMs }),
  bodyBytes: 2,
  ...more,
});

describe('matcherOf', () => {
  const dead = letter('a', 1_000);
  const body = Buffer.from('{"name":"Zoë"}');

  it.each<[boolean, DeadLetterFilter]>([
    [true, {}],
    [true, { type: 'report', code: 'GONE', fromMs: 1_000, toMs: 1_001, text: 'Zoë', ids: ['b', 'a'] }],
    [false, { type: 'Report' }],
    [false, { code: 'GONE', type: 'invoice' }],
    [false, { fromMs: 1_001 }],
    [false, { toMs: 1_000 }],
    [false, { text: 'zoë' }],
    [false, { ids: [] }],
  ])('answers %p for %j', (expected, filter) => {
    expect(matcherOf(filter)(dead, body)).toBe(expected);
  });

  it('finds no letter without a time in any range', () => {
    expect(matcherOf({ fromMs: 0 })(letter('a'), body)).toBe(false);
    expect(matcherOf({ toMs: 9e15 })(letter('a'), body)).toBe(false);
  });
});

it('knows a filter that asks for nothing', () => {
  expect([{}, { type: undefined }].map(isNarrow)).toEqual([false, false]);
  expect([{ ids: [] }, { text: 'x' }, { fromMs: 0 }].map(isNarrow)).toEqual([true, true, true]);
});

it('puts the oldest first, those without a time before them, and equal times in the order of ids', () => {
  const sorted = [letter('b', 2), letter('a', 2), letter('z', 1), letter('y'), letter('x')].sort(byDeath);
  expect(sorted.map(({ id }) => id)).toEqual(['x', 'y', 'z', 'a', 'b']);
});

describe('pageOf', () => {
  const twins = [letter('a', 1), letter('b', 1), letter('b', 1), letter('b', 1), letter('c', 1), letter('d')].sort(
    byDeath,
  );

  it.each([1, 2, 3, 4, 5, 6, 7])('gives each letter once, in pages of %d', (limit) => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = pageOf(twins, limit, cursor);
      seen.push(...page.letters.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(['d', 'a', 'b', 'b', 'b', 'c']);
  });

  it('goes on where it was although letters came and went', () => {
    const { cursor } = pageOf(twins, 3);
    const changed = [letter('new', 0), letter('b', 1), letter('c', 1), letter('e', 2)];
    expect(pageOf(changed, 9, cursor).letters.map(({ id }) => id)).toEqual(['c', 'e']);
    expect(pageOf([letter('a', 0)], 9, cursor)).toEqual({ letters: [] });
  });

  it.each(['', 'x', 'bnVsbA', Buffer.from('[1,2,3]').toString('base64url'), Buffer.from('{}').toString('base64url')])(
    'refuses the cursor %j',
    (cursor) => {
      expect(() => pageOf(twins, 1, cursor)).toThrow(
        expect.objectContaining({ code: 'DEAD_LETTERS_INVALID' }) as Error,
      );
    },
  );
});

describe('timeMsOf', () => {
  it.each([
    ['1800000000000', 1_800_000_000_000],
    ['2027-01-15', 1_799_971_200_000],
    ['2027-01-15T08:00:00Z', 1_800_000_000_000],
    ['2027-01-15T09:00:00.5+01:00', 1_800_000_000_500],
  ])('reads %s', (text, timeMs) => {
    expect(timeMsOf(text)).toBe(timeMs);
  });

  it.each(['', 'yesterday', '-1', '1.5', '2027-13-01', '2027-01-15T08:00', '2027', '9'.repeat(17)])(
    'refuses %j, which could mean anything',
    (text) => {
      expect(timeMsOf(text)).toBeUndefined();
    },
  );
});
