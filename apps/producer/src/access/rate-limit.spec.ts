import { RateLimit } from './rate-limit';

describe('RateLimit', () => {
  it('lets each client ask so often in a minute, which begins with its first request', () => {
    const limit = new RateLimit(2);
    expect(limit.take('a', 1_000)).toEqual({ isUsedUp: false, remaining: 1, resetS: 60 });
    expect(limit.take('a', 31_000)).toEqual({ isUsedUp: false, remaining: 0, resetS: 30 });
    expect(limit.take('a', 60_999)).toEqual({ isUsedUp: true, remaining: 0, resetS: 1 });
    expect(limit.take('b', 60_999)).toMatchObject({ isUsedUp: false });
    expect(limit.take('a', 61_000)).toEqual({ isUsedUp: false, remaining: 1, resetS: 60 });
  });

  it('forgets clients whose minute is over, and the oldest when there are too many', () => {
    const limit = new RateLimit(1);
    const { windows } = limit as unknown as { windows: Map<string, unknown> };
    for (let client = 0; client < 100_002; client++) limit.take(String(client), client / 1_000);
    expect(windows.size).toBe(100_000);
    expect(limit.take('2', 101).isUsedUp).toBe(true);
    expect(limit.take('0', 101).isUsedUp).toBe(false);
    limit.take('new', 70_000);
    expect(windows.size).toBe(1);
  });
});
