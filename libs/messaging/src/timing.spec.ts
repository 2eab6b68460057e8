import { backoffMs, delay } from './timing';

describe('backoffMs', () => {
  afterEach(() => jest.restoreAllMocks());

  it.each([
    [1, 50, 250],
    [2, 50, 450],
    [3, 50, 850],
    [6, 50, 5_050],
    [1_000, 50, 5_050],
  ])(
    'after %d failures spreads over %d to %d ms: full jitter under a doubling, capped ceiling',
    (failures, from, to) => {
      const random = jest.spyOn(Math, 'random');
      random.mockReturnValue(0);
      expect(backoffMs(failures, 5_000)).toBe(from);
      random.mockReturnValue(1 - Number.EPSILON);
      expect(backoffMs(failures, 5_000)).toBe(to);
      random.mockReturnValue(0.5);
      expect(backoffMs(failures, 5_000)).toBe((from + to) / 2);
    },
  );

  it('differs from process to process', () => {
    expect(new Set(Array.from({ length: 100 }, () => backoffMs(10, 5_000))).size).toBeGreaterThan(10);
  });
});

describe('delay', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('waits its time, not less', async () => {
    const over = jest.fn();
    void delay(1_000, new AbortController().signal).then(over);
    await jest.advanceTimersByTimeAsync(999);
    expect(over).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(over).toHaveBeenCalled();
  });

  it('ends early when the signal aborts, and leaves no timer', async () => {
    const abort = new AbortController();
    const waited = delay(1_000, abort.signal);
    expect(jest.getTimerCount()).toBe(1);
    abort.abort();
    await waited;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not wait at all when the signal is aborted already', async () => {
    await delay(1_000, AbortSignal.abort());
    expect(jest.getTimerCount()).toBe(0);
  });

  it('listens to the signal no longer than it waits', async () => {
    const { signal } = new AbortController();
    const removed = jest.spyOn(signal, 'removeEventListener');
    const waited = delay(5, signal);
    await jest.advanceTimersByTimeAsync(5);
    await waited;
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
  });
});
