import { delay } from './retry-policy';

/** Turns at an even pace. One that comes late makes no crowd: the next keeps its distance. */
export class Pace {
  private nextMs = -Infinity;
  private readonly intervalMs: number;

  constructor(perSecond: number) {
    this.intervalMs = 1_000 / perSecond;
  }

  /** Resolves when it is the caller's turn; the first one is at once. Early when the signal aborts. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    // Behind by less than a turn is the timer's lateness and is made up for; behind by more is not.
    const dueMs = Math.max(this.nextMs, nowMs - this.intervalMs);
    this.nextMs = dueMs + this.intervalMs;
    if (dueMs > nowMs) await delay(dueMs - nowMs, signal);
  }
}
