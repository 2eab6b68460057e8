/** Of one task. */
export const MOST_ATTEMPTS = 1_000_000;

/** How often, and for how long in all, a task may be postponed. */
export interface PostponeLimits {
  /** 0 to 1,000,000. Default 10,000. */
  readonly maxCount?: number;
  /** All its postponements together, in milliseconds. Default 30 days, at most 366. */
  readonly maxTotalMs?: number;
}

export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly maxAttempts: number;
  /** How long to wait after each failed attempt; the last one again and again. */
  readonly delaysMs: readonly number[];
  readonly postpone: Required<PostponeLimits>;
}

/** The delay after attempt number `attempt`. */
export function delayOfAttemptMs(attempt: number, policy: RetryPolicy): number {
  const index = Math.min(attempt - 1, policy.delaysMs.length - 1);
  return policy.delaysMs[index] ?? 0;
}

/** The shortest level that is not shorter than `delayMs`; the longest level if none is. */
export function levelForDelayMs(delayMs: number, levelsMs: readonly number[]): number {
  return levelsMs.find((levelMs) => levelMs >= delayMs) ?? levelsMs.at(-1) ?? 0;
}
