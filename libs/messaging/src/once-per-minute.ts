const MINUTE_MS = 60_000;

/** What goes on and on is told seldom: each thing once per minute at most. */
export class OncePerMinute {
  private readonly toldAtMs = new Map<string, number>();

  /** Whether it is to be told now. Then it is told. @param what one of few: each is remembered. */
  isDue(what: string): boolean {
    const nowMs = performance.now();
    if (nowMs - (this.toldAtMs.get(what) ?? -Infinity) < MINUTE_MS) return false;
    this.toldAtMs.set(what, nowMs);
    return true;
  }

  /** It is over: what comes next is news. */
  forget(): void {
    this.toldAtMs.clear();
  }
}
