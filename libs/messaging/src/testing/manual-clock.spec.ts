import { ManualClock } from './manual-clock';

const never = new AbortController().signal;
let clock: ManualClock;
let ended: string[];

beforeEach(() => {
  clock = new ManualClock(1_000);
  ended = [];
});

async function wait(name: string, timeoutMs: number, signal = never): Promise<void> {
  await clock.delay(timeoutMs, signal);
  ended.push(`${name} at ${clock.nowMs()}`);
}

const untilQuiet = () => new Promise<void>((resolve) => setImmediate(resolve));

it('stands still until it is moved', async () => {
  void wait('a', 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect([clock.nowMs(), ended]).toEqual([1_000, []]);
});

it('ends delays in the order of their times, each at its own, and those of the same time in that of their calls', async () => {
  const waits = [wait('late', 30), wait('first', 10), wait('second', 10), wait('beyond', 31)];
  await clock.advance(30, untilQuiet);
  await Promise.all(waits.slice(0, 3));
  expect(ended).toEqual(['first at 1010', 'second at 1010', 'late at 1030']);
  expect(clock.nowMs()).toBe(1_030);
  await clock.advance(1, untilQuiet);
  expect(ended).toHaveLength(4);
});

it('ends a delay that was begun on the way', async () => {
  void wait('a', 10).then(() => wait('b', 10));
  await clock.advance(25, untilQuiet);
  expect(ended).toEqual(['a at 1010', 'b at 1020']);
});

it('ends a delay at once when its signal aborts, and one that is no delay', async () => {
  const abort = new AbortController();
  const waiting = wait('a', 10, abort.signal);
  abort.abort();
  await waiting;
  await wait('b', 10, abort.signal);
  await wait('c', 0);
  expect(ended).toEqual(['a at 1000', 'b at 1000', 'c at 1000']);
});
