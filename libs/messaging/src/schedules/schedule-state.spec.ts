import { schedulesOf, type Schedule } from './schedule';
import { adoptSchedules, decodeState, encodeState, mergeState, type ScheduleState } from './schedule-state';

const NOW_MS = Date.parse('2026-11-24T12:00:00Z');
const DAY_MS = 86_400_000;
const HOURLY = '0 * * * * UTC';

function schedules(...names: string[]): Schedule[] {
  const task = { type: 'report', body: {} };
  return schedulesOf(
    names.map((name) => ({ name, cron: '0 * * * *', ...task })),
    1_000,
    [],
  );
}

describe('a new leader', () => {
  it('goes on where its schedules are, however long ago that was', () => {
    const state: ScheduleState = new Map([['a', { rule: HOURLY, doneMs: NOW_MS - 30 * DAY_MS, seenMs: 0 }]]);
    adoptSchedules(state, schedules('a'), NOW_MS);
    expect(state.get('a')).toEqual({ rule: HOURLY, doneMs: NOW_MS - 30 * DAY_MS, seenMs: NOW_MS });
  });

  it('begins a schedule that is new now', () => {
    const state: ScheduleState = new Map();
    adoptSchedules(state, schedules('a', '__proto__'), NOW_MS);
    expect([...state.keys()]).toEqual(['a', '__proto__']);
    expect(state.get('a')).toEqual({ rule: HOURLY, doneMs: NOW_MS, seenMs: NOW_MS });
  });

  it.each([
    ['earlier', NOW_MS - DAY_MS, NOW_MS],
    ['later, by another clock', NOW_MS + 500, NOW_MS + 500],
  ])('begins a schedule whose pattern has changed now, never again what was done %s', (_when, doneMs, expectedMs) => {
    const state: ScheduleState = new Map([['a', { rule: '0 3 * * * UTC', doneMs, seenMs: NOW_MS }]]);
    adoptSchedules(state, schedules('a'), NOW_MS);
    expect(state.get('a')?.doneMs).toBe(expectedMs);
  });

  it('keeps a schedule that only others have, and forgets it when no leader had it for a week', () => {
    const of = (seenMs: number) => ({ rule: HOURLY, doneMs: 1, seenMs });
    const state: ScheduleState = new Map([
      ['of another', of(NOW_MS - 7 * DAY_MS)],
      ['of nobody', of(NOW_MS - 7 * DAY_MS - 1)],
    ]);
    adoptSchedules(state, [], NOW_MS);
    expect([...state.keys()]).toEqual(['of another']);
  });
});

describe('several states', () => {
  it('make one, with the furthest of each schedule', () => {
    const progress = (doneMs: number) => ({ rule: HOURLY, doneMs, seenMs: doneMs });
    const state: ScheduleState = new Map([
      ['a', progress(5)],
      ['b', progress(5)],
    ]);
    const other: ScheduleState = new Map([
      ['a', progress(4)],
      ['b', progress(6)],
      ['c', progress(1)],
    ]);
    expect(mergeState(state, other)).toBe(true);
    expect([...state].map(([name, { doneMs }]) => [name, doneMs])).toEqual([
      ['a', 5],
      ['b', 6],
      ['c', 1],
    ]);
    expect(mergeState(state, other)).toBe(false);
  });
});

describe('foreign content', () => {
  const progress = (seen: string) => ({ rule: HOURLY, done: '2026-01-01T00:00:00Z', seen });
  const message = (schedules: object) => Buffer.from(JSON.stringify({ schedules }));

  it.each<[string, Buffer]>([
    ['larger than any state', message({ a: { ...progress('2026-01-01T00:00:00Z'), pad: 'x'.repeat(5 * 1_048_576) } })],
    ['with a long name', message({ ['x'.repeat(101)]: progress('2026-01-01T00:00:00Z') })],
    ['with a long rule', message({ a: { ...progress('2026-01-01T00:00:00Z'), rule: 'x'.repeat(501) } })],
  ])('%s is no state', (_what, content) => {
    expect(decodeState(content)).toBeUndefined();
  });

  it('never makes a state larger than the broker takes', () => {
    const state: ScheduleState = new Map();
    for (let round = 0; round < 5; round++) {
      const names = Array.from({ length: 5_000 }, (_, index) => `${round}-${index}`.padEnd(100, 'x'));
      const many = Object.fromEntries(names.map((name) => [name, progress('2026-01-01T00:00:00Z')]));
      mergeState(state, decodeState(message(many)) ?? (new Map() as ScheduleState));
    }
    adoptSchedules(state, schedules('own'), NOW_MS);
    expect(state.has('own')).toBe(true);
    expect(encodeState(state).length).toBeLessThan(4 * 1_048_576);
  });

  it('of the far future is forgotten like any other', () => {
    const state = decodeState(message({ a: progress('2999-01-01T00:00:00Z') })) ?? (new Map() as ScheduleState);
    adoptSchedules(state, [], NOW_MS);
    adoptSchedules(state, [], NOW_MS + 8 * DAY_MS);
    expect([...state.keys()]).toEqual([]);
  });
});

describe('a state as a message', () => {
  it('is read as it was written', () => {
    const state: ScheduleState = new Map([
      ['a', { rule: HOURLY, doneMs: NOW_MS, seenMs: NOW_MS + 1 }],
      ['__proto__', { rule: HOURLY, doneMs: 0, seenMs: 0 }],
    ]);
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(decodeState(encodeState(new Map()))).toEqual(new Map());
  });

  it('can be read by people', () => {
    const state: ScheduleState = new Map([['a', { rule: HOURLY, doneMs: NOW_MS, seenMs: NOW_MS }]]);
    const time = '2026-11-24T12:00:00.000Z';
    expect(JSON.parse(encodeState(state).toString())).toEqual({
      schedules: { a: { rule: HOURLY, done: time, seen: time } },
    });
  });

  it.each(['', 'null', '[]', '{}', '{"schedules":[]}', '{"schedules":{"a":null}}', '{"schedules":{"a":{"rule":"x"}}}'])(
    'is none when it is %p',
    (text) => {
      expect(decodeState(Buffer.from(text))).toBeUndefined();
    },
  );
});
