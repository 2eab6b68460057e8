/** Between two moments of `nowMs()`. */
export interface Stretch {
  fromMs: number;
  toMs: number;
}

/** Milliseconds since 1970 with microseconds behind the point: the same clock in all processes of this machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The same moment as CPU profiles have it: microseconds of Linux's monotonic clock. */
export function profileUsOf(atMs: number): number {
  return Number(process.hrtime.bigint() / 1_000n) + (atMs - nowMs()) * 1_000;
}
