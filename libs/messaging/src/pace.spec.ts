import { Pace } from './pace';

const never = new AbortController().signal;

/** When each of the turns came, in milliseconds from the first; `work` is what the caller does in between. */
async function turns(perSecond: number, count: number, work: (turn: number) => void = () => undefined) {
  const pace = new Pace(perSecond);
  const times: number[] = [];
  const all = (async () => {
    for (let turn = 0; turn < count; turn++) {
      await pace.turn(never);
      times.push(performance.now());
      work(turn);
    }
  })();
  await jest.advanceTimersByTimeAsync(100_000);
  await all;
  return times.map((time) => Math.round(time - (times[0] ?? 0)));
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('gives the first turn at once and the others evenly', async () => {
  expect(await turns(20, 5)).toEqual([0, 50, 100, 150, 200]);
  expect(await turns(0.5, 3)).toEqual([0, 2_000, 4_000]);
});

it('makes up for a timer that is a little late, and for nothing more', async () => {
  const late = (ms: number) => (turn: number) => turn === 0 && jest.advanceTimersByTime(ms);
  expect(await turns(20, 4, late(60))).toEqual([0, 60, 100, 150]);
  expect(await turns(20, 4, late(500))).toEqual([0, 500, 530, 580]);
});

it('ends a wait when the signal aborts', async () => {
  const pace = new Pace(0.001);
  const stop = new AbortController();
  await pace.turn(stop.signal);
  const second = pace.turn(stop.signal);
  stop.abort();
  await expect(second).resolves.toBeUndefined();
});
