import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers';

/** Taken at the import: fake timers of a test must not stop the broker, nor its deadlines. */
const [immediate, timeout, now] = [setImmediate, setTimeout, performance.now.bind(performance)];

/** The time of the process, and what waits for it. */
export const realTime = {
  nowMs: (): number => now(),
  nextTurn: (): Promise<void> => new Promise((resolve) => void immediate(resolve)),
  inNextTurn: (work: () => void): void => void immediate(work),
  /** Not a turn: somebody else has to do something, and gets the core for it. */
  pause: (): Promise<void> => new Promise((resolve) => void timeout(resolve, 1)),
};
