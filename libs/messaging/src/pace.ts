import { delay } from './timing';

/** Timers are late by a few milliseconds. So much is made up for; who is later makes no crowd, the next keep their distance. */
const LATENESS_MS = 20;

/** Turns at an even pace. */
export class Pace {
  private nextMs: number | undefined;
  private readonly intervalMs: number;

  constructor(perSecond: number) {
    this.intervalMs = 1_000 / perSecond;
  }

  /** Resolves when it is the caller's turn; the first one is at once. Early when the signal aborts. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const dueMs = Math.max(this.nextMs ?? nowMs, nowMs - LATENESS_MS);
    this.nextMs = dueMs + this.intervalMs;
    if (dueMs > nowMs) await delay(dueMs - nowMs, signal);
  }
}
