import { ackTimeoutMs, ackTimeoutProblem } from './ack-timeout';

describe('what a worker tells the broker', () => {
  it.each([
    [30_000, 1_800_000],
    [1_740_000, 1_800_000],
    [1_740_001, 1_800_001],
    [3_600_000, 3_660_000],
  ])('for handlers of %i ms is %i ms', (longestHandlerMs, expected) => {
    expect(ackTimeoutMs(longestHandlerMs)).toBe(expected);
  });
});

describe('the warning of a broker that may not wait', () => {
  it('is not given for handlers that end before its default', () => {
    expect(ackTimeoutProblem(1_799_999)).toBeUndefined();
  });

  it('names the setting that fits', () => {
    expect(ackTimeoutProblem(3_600_000)).toMatchObject({
      code: 'ACK_TIMEOUT_SHORTER',
      message: expect.stringContaining('consumer_timeout = 3660000') as string,
    });
  });
});
