import { delay } from './timing';

/**
 * The time that tasks go by: when one is due, when it failed, when its schedule has a tick. What a program waits for by
 * itself (answers, handlers, reconnects) goes by the time of its process.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves when so much time has passed, or early when the signal aborts. */
  delay(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Nobody sleeps longer at once, so that a clock that was set, or a process that stood still, is noticed. */
  readonly longestSleepMs: number;
}

export const systemClock: Clock = { nowMs: () => Date.now(), delay, longestSleepMs: 1_000 };
