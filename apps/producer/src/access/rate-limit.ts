const WINDOW_MS = 60_000;
/** More than that are not remembered at once: the longest known one is forgotten. */
const MOST_CLIENTS = 100_000;

/** What is left to a client in its minute. */
export interface Allowance {
  isUsedUp: boolean;
  remaining: number;
  /** Whole seconds until its next minute begins. */
  resetS: number;
}

/** Counts requests per client. A minute begins with its first request. */
export class RateLimit {
  private readonly windows = new Map<string, { beganMs: number; count: number }>();

  constructor(readonly perMinute: number) {}

  /** @param nowMs of a clock that only goes forward. */
  take(client: string, nowMs = performance.now()): Allowance {
    let window = this.windows.get(client);
    if (!window || nowMs - window.beganMs >= WINDOW_MS) {
      window = { beganMs: nowMs, count: 0 };
      // Inserted anew: so the map is in the order in which the minutes end.
      this.windows.delete(client);
      this.windows.set(client, window);
      this.forget(nowMs);
    }
    const isUsedUp = window.count >= this.perMinute;
    if (!isUsedUp) window.count += 1;
    const resetS = Math.ceil((window.beganMs + WINDOW_MS - nowMs) / 1_000);
    return { isUsedUp, remaining: this.perMinute - window.count, resetS };
  }

  private forget(nowMs: number): void {
    for (const [client, { beganMs }] of this.windows) {
      if (nowMs - beganMs < WINDOW_MS && this.windows.size <= MOST_CLIENTS) return;
      this.windows.delete(client);
    }
  }
}
