/** Milliseconds since 1970 with microseconds behind the point: the same clock in all processes of this machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
