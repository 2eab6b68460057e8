import { setImmediate } from 'node:timers/promises';
import { nextTurn, turn } from './loop-turns';

function work(timeMs: number): void {
  const endMs = performance.now() + timeMs;
  while (performance.now() < endMs);
}

beforeEach(async () => {
  // What an earlier test began is over.
  await setImmediate();
  await setImmediate();
});

describe('turn', () => {
  it('lets short work go on at once', () => {
    expect(turn()).toBeUndefined();
    expect(turn()).toBeUndefined();
  });

  it('lets others come on after 10 ms of work', async () => {
    const seen: string[] = [];
    void turn();
    work(11);
    const waited = turn();
    expect(waited).toBeInstanceOf(Promise);
    void setImmediate().then(() => seen.push('other'));
    await waited;
    await setImmediate();
    expect(seen).toEqual(['other']);
    expect(turn()).toBeUndefined();
  });

  it('gives one turn each to those who wait, in their order, and lets nobody overtake them', async () => {
    const order: number[] = [];
    let turns = 0;
    let isDone = false;
    const counting = (async () => {
      for (; !isDone; turns++) await setImmediate();
    })();
    void turn();
    work(11);
    const waiting = [1, 2, 3, 4].map(async (number) => {
      await turn();
      order.push(number);
    });
    await setImmediate();
    // The slice is young again, but others were first.
    waiting.push(Promise.resolve(turn()).then(() => void order.push(5)));
    await Promise.all(waiting);
    isDone = true;
    await counting;
    expect(order).toEqual([1, 2, 3, 4, 5]);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  it('may be asked for before work that takes most of one', async () => {
    let isDone = false;
    const next = nextTurn().then(() => (isDone = true));
    await Promise.resolve();
    expect(isDone).toBe(false);
    await next;
  });
});
