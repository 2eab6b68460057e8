import type { Clock } from '../clock';

interface Timer {
  atMs: number;
  run(): void;
}

/** A clock that stands still until somebody moves it. */
export class ManualClock implements Clock {
  /** Nobody sets it but `advance`, which wakes whoever sleeps. */
  readonly longestSleepMs = Infinity;
  /** In the order in which they were set. */
  private readonly timers = new Set<Timer>();

  constructor(private currentMs: number) {}

  nowMs(): number {
    return this.currentMs;
  }

  delay(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || timeoutMs <= 0) return resolve();
      const finish = () => {
        this.timers.delete(timer);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer: Timer = { atMs: this.currentMs + timeoutMs, run: finish };
      this.timers.add(timer);
      signal.addEventListener('abort', finish);
    });
  }

  /**
   * Moves on by so much, from one delay that ends to the next.
   * @param untilQuiet resolves once everything that such an end has led to is over.
   */
  async advance(timeMs: number, untilQuiet: () => Promise<void>): Promise<void> {
    const untilMs = this.currentMs + timeMs;
    for (let next = this.nextTimer(untilMs); next; next = this.nextTimer(untilMs)) {
      this.currentMs = Math.max(this.currentMs, next.atMs);
      next.run();
      await untilQuiet();
    }
    this.currentMs = untilMs;
  }

  private nextTimer(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
