import { OncePerMinute } from './once-per-minute';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('lets each thing be told once per minute', () => {
  const told = new OncePerMinute();
  expect([told.isDue('a'), told.isDue('a'), told.isDue('b')]).toEqual([true, false, true]);
  jest.advanceTimersByTime(59_999);
  expect(told.isDue('a')).toBe(false);
  jest.advanceTimersByTime(1);
  expect([told.isDue('a'), told.isDue('a')]).toEqual([true, false]);
});

it('lets it be told at once when it was over in between', () => {
  const told = new OncePerMinute();
  told.isDue('a');
  told.forget();
  expect(told.isDue('a')).toBe(true);
});
