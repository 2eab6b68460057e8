import { ProblemException } from '../problems/problem';
import { readDiscard, readList, readPage, readReplay } from './dead-letter.request';

const NOON = '2027-01-15T08:00:00Z';
const NOON_MS = 1_800_000_000_000;

function pointersOf(read: () => unknown): string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (!(error instanceof ProblemException)) throw error;
    return (error.problem.errors ?? []).map(({ pointer }) => pointer).sort();
  }
}

it('reads a list with its defaults, and times in both forms', () => {
  expect(readList({})).toEqual({ filter: {}, limit: 50 });
  expect(readList({ code: 'GONE', from: NOON, to: String(NOON_MS + 1), limit: '1000', cursor: 'abc' })).toEqual({
    filter: { code: 'GONE', fromMs: NOON_MS, toMs: NOON_MS + 1 },
    limit: 1_000,
    cursor: 'abc',
  });
});

it('reads which page is wanted', () => {
  expect(readPage({})).toEqual({ limit: 50 });
  expect(readPage({ limit: '7', cursor: 'abc' })).toEqual({ limit: 7, cursor: 'abc' });
  expect(pointersOf(() => readPage({ limit: '0', cursor: '', type: 'a' }))).toEqual(['/cursor', '/limit', '/type']);
});

it('reads a replay of everything, and a discard of something', () => {
  expect(readReplay({ filter: {}, ratePerSecond: 0.5, dryRun: true })).toEqual({
    filter: {},
    ratePerSecond: 0.5,
    dryRun: true,
  });
  expect(readDiscard({ filter: { text: 'x' } })).toEqual({ filter: { text: 'x' } });
});

it.each<[unknown, string[]]>([
  [{ limit: '01' }, ['/limit']],
  [{ text: ['a', 'b'] }, ['/text']],
  [{ from: '2027', ids: 'a' }, ['/from', '/ids']],
])('points at what is wrong in a list: %j', (query, pointers) => {
  expect(pointersOf(() => readList(query))).toEqual(pointers);
});

it.each<[unknown, string[]]>([
  [null, ['']],
  [{ filter: null }, ['/filter']],
  [{ filter: { to: 5, a: 1 }, ratePerSecond: 1_001 }, ['/filter/a', '/filter/to', '/ratePerSecond']],
  [{ filter: {}, ratePerSecond: -1, dryRun: 'yes' }, ['/dryRun', '/ratePerSecond']],
])('points at what is wrong in a replay: %j', (body, pointers) => {
  expect(pointersOf(() => readReplay(body))).toEqual(pointers);
});

it.each<[unknown, string[]]>([
  [{ filter: {} }, ['/filter']],
  [{ filter: { type: '' } }, ['/filter/type']],
  [[], ['']],
])('points at what is wrong in a discard: %j', (body, pointers) => {
  expect(pointersOf(() => readDiscard(body))).toEqual(pointers);
});
