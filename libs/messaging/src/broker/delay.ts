/** Delayed tasks wait in levels of their own: queues that give a task back after so many milliseconds. */
export const DELAY_LEVELS_MS: readonly number[] = [1_000, 10_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000];

export const LONGEST_DELAY_MS = 30 * 86_400_000;

/** The longest level that is over no later than that; undefined when less than the shortest one is left. */
export function delayLevelMs(remainingMs: number): number | undefined {
  return DELAY_LEVELS_MS.findLast((levelMs) => levelMs <= remainingMs);
}

/**
 * When a delayed task may run, by what its header says. A header that nobody of us writes (none, no number, beyond the
 * longest delay) says: now. It would wait for ever, or go round without an end.
 */
export function notBeforeMsOf(header: unknown, nowMs: number): number {
  const isOurs = typeof header === 'number' && Number.isFinite(header) && header - nowMs <= LONGEST_DELAY_MS;
  return isOurs ? Math.ceil(header) : nowMs;
}
