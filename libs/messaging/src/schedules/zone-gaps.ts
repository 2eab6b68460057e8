const STEP_MS = 7 * 86_400_000;

/** Local times that a clock leaves out, as in the change to summer time. Local times are written as if they were UTC. */
export interface ZoneGap {
  /** When it happens: the first moment after it. */
  atMs: number;
  /** The first local time that is left out. */
  fromLocalMs: number;
  /** The first one that is there again. */
  untilLocalMs: number;
}

/** Finds the gaps of one time zone. */
export class ZoneGaps {
  private readonly format: Intl.DateTimeFormat;

  constructor(timeZone: string) {
    this.format = new Intl.DateTimeFormat('en', {
      timeZone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
  }

  /** Those after the first time and not after the second, in order. No zone changes its clock twice within a week. */
  *between(afterMs: number, untilMs: number): Generator<ZoneGap> {
    for (let startMs = afterMs; startMs < untilMs; startMs += STEP_MS) {
      const endMs = Math.min(startMs + STEP_MS, untilMs);
      const [before, after] = [this.offsetMs(startMs), this.offsetMs(endMs)];
      if (after <= before) continue;
      const atMs = this.changeBetween(startMs, endMs, before);
      yield { atMs, fromLocalMs: atMs + before, untilLocalMs: atMs + after };
    }
  }

  private changeBetween(startMs: number, endMs: number, before: number): number {
    let [earlierMs, laterMs] = [startMs, endMs];
    while (laterMs - earlierMs > 1) {
      const middleMs = Math.floor((earlierMs + laterMs) / 2);
      if (this.offsetMs(middleMs) === before) earlierMs = middleMs;
      else laterMs = middleMs;
    }
    return laterMs;
  }

  private offsetMs(timeMs: number): number {
    const secondMs = Math.floor(timeMs / 1_000) * 1_000;
    const part = Object.fromEntries(
      this.format.formatToParts(secondMs).map(({ type, value }) => [type, Number(value)]),
    );
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - secondMs;
  }
}
