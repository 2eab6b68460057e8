import { watchSetup } from './setup-watch';

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

it('tells once, after 10 s without an answer, and leaves no timer', () => {
  const problems: string[] = [];
  const timer = watchSetup('reports', ({ message }) => problems.push(message));
  jest.advanceTimersByTime(9_999);
  expect(problems).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(problems).toEqual([expect.stringContaining('Has queue "reports" a leader?')]);
  jest.advanceTimersByTime(60_000);
  expect(problems).toHaveLength(1);
  clearInterval(timer);
  expect(jest.getTimerCount()).toBe(0);
});

it('goes by its looks, of which a loop that stands still leaves out all but one, and not by the clock', () => {
  const problems: string[] = [];
  const setInterval = jest.spyOn(globalThis, 'setInterval');
  watchSetup('reports', ({ message }) => problems.push(message));
  const look = setInterval.mock.calls[0]![0];
  jest.setSystemTime(Date.now() + 60_000);
  jest.spyOn(performance, 'now').mockImplementation(() => 60_000);
  for (let looks = 0; looks < 9; looks++) look();
  expect(problems).toEqual([]);
  look();
  expect(problems).toHaveLength(1);
});
