import { BrokerError } from '../errors';
import { declareOnce } from './declarations';

/** A declaration whose end the test decides. */
function declaration() {
  let resolve: (mismatches: BrokerError[]) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const done = new Promise<BrokerError[]>((...handles) => ([resolve, reject] = handles));
  return { declare: jest.fn(() => done), resolve, reject };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const ARGS = { 'x-queue-type': 'quorum' };

it('what several ask for at the same time is declared once, and each is told what was found', async () => {
  const { declare, resolve } = declaration();
  const asked = [1, 2, 3].map(() => declareOnce('a', 'reports', { ...ARGS }, declare));
  const found = new BrokerError('BROKER_TOPOLOGY_MISMATCH', 'other arguments');
  resolve([found]);
  expect(await Promise.all(asked)).toEqual([[found], [found], [found]]);
  expect(declare).toHaveBeenCalledTimes(1);
});

it('it is declared again for who asks later', async () => {
  const { declare, resolve } = declaration();
  resolve([]);
  await declareOnce('a', 'reports', ARGS, declare);
  await declareOnce('a', 'reports', ARGS, declare);
  expect(declare).toHaveBeenCalledTimes(2);
});

it('another broker and another queue are declared at the same time', async () => {
  const { declare, resolve } = declaration();
  const places: [string, string][] = [
    ['a', 'reports'],
    ['b', 'reports'],
    ['a', 'mails'],
  ];
  const asked = places.map(([broker, queue]) => declareOnce(broker, queue, ARGS, declare));
  expect(declare).toHaveBeenCalledTimes(3);
  resolve([]);
  await Promise.all(asked);
});

it('one queue with other arguments is declared after the first, not beside it', async () => {
  const [first, second, third] = [declaration(), declaration(), declaration()];
  const asked = [
    declareOnce('a', 'reports', ARGS, first.declare),
    declareOnce('a', 'reports', { ...ARGS, 'x-max-length': 1 }, second.declare),
    declareOnce('a', 'reports', { ...ARGS, 'x-max-length': 2 }, third.declare),
  ];
  await turn();
  expect(second.declare).not.toHaveBeenCalled();
  first.resolve([]);
  await turn();
  expect(second.declare).toHaveBeenCalledTimes(1);
  expect(third.declare).not.toHaveBeenCalled();
  second.resolve([]);
  third.resolve([]);
  await Promise.all(asked);
});

it('who shared one that failed makes its own, and the others share that', async () => {
  const [first, second, third] = [declaration(), declaration(), declaration()];
  const failed = declareOnce('a', 'reports', ARGS, first.declare);
  const asked = [second, third].map(({ declare }) => declareOnce('a', 'reports', ARGS, declare));
  first.reject(new Error('lost'));
  await expect(failed).rejects.toThrow('lost');
  second.resolve([]);
  await Promise.all(asked);
  expect(second.declare).toHaveBeenCalledTimes(1);
  expect(third.declare).not.toHaveBeenCalled();
});

it('nobody waits longer than 5 s for the connection of somebody else', async () => {
  jest.useFakeTimers();
  const [stuck, own] = [declaration(), declaration()];
  const first = declareOnce('a', 'reports', ARGS, stuck.declare);
  const second = declareOnce('a', 'reports', ARGS, own.declare);
  await jest.advanceTimersByTimeAsync(4_900);
  expect(own.declare).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(200);
  own.resolve([]);
  await second;
  expect(own.declare).toHaveBeenCalledTimes(1);
  stuck.resolve([]);
  await first;
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});
