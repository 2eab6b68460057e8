import { Patience } from './patience';
import { realTime } from './real-time';

let nowMs: number;
let ended: number;
beforeEach(() => {
  [nowMs, ended] = [1_000, 0];
  jest.spyOn(realTime, 'nowMs').mockImplementation(() => nowMs);
});
afterEach(() => jest.restoreAllMocks());

/** Time passes, and perhaps something ends. */
function later(ms: number, endings = 0): void {
  nowMs += ms;
  ended += endings;
}

it('patience lasts as long as deliveries end, each time by the timeout', () => {
  const patience = new Patience(100, () => ended);
  for (let round = 0; round < 10; round++) {
    later(90, 1);
    patience.check('a task');
  }
  later(100);
  patience.check('a task');
  later(1);
  expect(() => patience.check('a task runs')).toThrow('After 100 ms a task runs');
});

it('it does not last for ever, however much ends', () => {
  const patience = new Patience(100, () => ended);
  const wait = () => {
    for (let round = 0; round < 100; round++) {
      later(20, 1);
      patience.check('a task');
    }
  };
  expect(wait).toThrow('After 1200 ms there is always something new');
});

it('who waits is told before it is over', () => {
  const patience = new Patience(100, () => ended);
  const onOver = jest.fn();
  patience.check('a task', onOver);
  expect(onOver).not.toHaveBeenCalled();
  later(101);
  expect(() => patience.check('a task', onOver)).toThrow();
  expect(onOver).toHaveBeenCalledTimes(1);
});
