import { delay } from './retry-policy';

/**
 * The time that tasks go by: when one is due, when it failed, when its schedule has a tick. What a program waits for by
 * itself (answers, handlers, reconnects) goes by the time of its process.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves when so much time has passed, or early when the signal aborts. */
  delay(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = { nowMs: () => Date.now(), delay };
