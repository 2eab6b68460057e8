import { getEventListeners } from 'node:events';
import { Slots, type Slot } from './slots';

const never = new AbortController().signal;

/** Work that ends when the test says so. */
function work() {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const started: Slot[] = [];
  return { end, started, run: (slot: Slot) => (started.push(slot), ended) };
}

const settle = () => new Promise(setImmediate);

describe('slots', () => {
  it('run so much at once as their capacity is, and the next in order when one is free', async () => {
    const slots = new Slots(2);
    const tasks = [work(), work(), work(), work()];
    const runs = tasks.map(({ run }) => slots.run(never, run));
    expect([slots.runningCount, ...tasks.map(({ started }) => started.length)]).toEqual([2, 1, 1, 0, 0]);
    tasks[1]!.end();
    await settle();
    expect(tasks.map(({ started }) => started.length)).toEqual([1, 1, 1, 0]);
    for (const { end } of tasks) end();
    await Promise.all(runs);
    expect([slots.runningCount, ...tasks.map(({ started }) => started.length)]).toEqual([0, 1, 1, 1, 1]);
  });

  it('are free again also when the work fails', async () => {
    const slots = new Slots(1);
    await expect(slots.run(never, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(slots.runningCount).toBe(0);
  });

  it('never run what was lost while it waited, and give its turn to the next', async () => {
    const slots = new Slots(1);
    const lost = new AbortController();
    const [first, second, third] = [work(), work(), work()];
    const runs = [slots.run(never, first.run), slots.run(lost.signal, second.run), slots.run(never, third.run)];
    lost.abort();
    first.end();
    await settle();
    expect([second.started.length, third.started.length]).toEqual([0, 1]);
    third.end();
    await Promise.all(runs);
  });

  it('hold nothing of what was lost while others wait', async () => {
    const slots = new Slots(1);
    const busy = work();
    const running = slots.run(never, busy.run);
    for (let round = 0; round < 1_000; round++) {
      const lost = new AbortController();
      const waiting = slots.run(lost.signal, work().run);
      lost.abort();
      void slots.run(AbortSignal.abort(), work().run);
      await waiting;
    }
    expect((slots as unknown as { waiting: unknown[] }).waiting.length).toBeLessThanOrEqual(1);
    busy.end();
    await running;
  });

  it('let all that waits start when a worker leaves, but for what was lost', async () => {
    const slots = new Slots(1);
    const lost = new AbortController();
    const tasks = [work(), work(), work(), work()];
    const runs = tasks.map(({ run }, index) => slots.run(index === 2 ? lost.signal : never, run));
    lost.abort();
    slots.startWaiting();
    await settle();
    expect(tasks.map(({ started }) => started.length)).toEqual([1, 1, 0, 1]);
    for (const { end } of tasks) end();
    await Promise.all(runs);
  });

  it('tell everything that runs to stop, whether it asks for its signal before or later', async () => {
    const slots = new Slots(2);
    const [early, late] = [work(), work()];
    const runs = [slots.run(never, early.run), slots.run(never, late.run)];
    const { signal } = early.started[0]!;
    const reason = new Error('lost');
    slots.abortAll(reason);
    slots.abortAll(new Error('later'));
    expect([signal.reason, late.started[0]?.signal.reason, late.started[0]?.isAborted]).toEqual([reason, reason, true]);
    early.end();
    late.end();
    await Promise.all(runs);
  });

  it('are idle once nothing runs, and say so to all who wait for it', async () => {
    const slots = new Slots(1);
    await slots.untilIdle();
    const busy = work();
    const running = slots.run(never, busy.run);
    let idle = 0;
    const waits = [slots.untilIdle(), slots.untilIdle()].map((wait) => wait.then(() => (idle += 1)));
    await settle();
    expect(idle).toBe(0);
    busy.end();
    await Promise.all([running, ...waits]);
    expect(idle).toBe(2);
  });

  it('leave no listener on the signals of deliveries', async () => {
    const lost = new AbortController();
    const slots = new Slots(1);
    for (let round = 0; round < 100; round++) await slots.run(lost.signal, async () => undefined);
    expect(getEventListeners(lost.signal, 'abort')).toEqual([]);
  });
});
