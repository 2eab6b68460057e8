import { LONGEST_DELAY_MS } from '../broker/delay';
import { DiscardTask, MercuryError, PostponeTask, RetryTask, describeError } from '../errors';
import { type PostponeLimits, type RetryPolicy, delayOfAttemptMs, levelForDelayMs } from './retry-policy';
import type { Postponements } from './task-headers';

export interface Failure {
  code: string;
  message: string;
}

/** How an execution ended. Closed: settlement handles each of these and nothing else. */
export type Outcome =
  | { kind: 'success' }
  | { kind: 'retry'; levelMs: number; failure: Failure }
  /** No failure, and no attempt: why is what the handler said. */
  | { kind: 'postponed'; delayMs: number; reason: Failure }
  | { kind: 'dead'; failure: Failure }
  | { kind: 'released' };

const NEVER_POSTPONED: Postponements = { count: 0, totalMs: 0 };

/**
 * Decides what becomes of a task whose attempt number `attempt` threw `error`. Pure.
 * @param levelsMs the retry levels that the queue has; the policy of one task type may want other delays.
 */
export function decideFailure(
  error: unknown,
  attempt: number,
  policy: RetryPolicy,
  levelsMs: readonly number[] = policy.delaysMs,
  postponements: Postponements = NEVER_POSTPONED,
): Outcome {
  if (error instanceof PostponeTask) {
    const refusal = refusalOf(error, postponements, policy.postpone);
    if (refusal) return decideFailure(refusal, attempt, policy, levelsMs);
    return { kind: 'postponed', delayMs: wholeMs(error.delayMs), reason: describeError(error) };
  }
  const failure = describeError(error);
  if (error instanceof DiscardTask) return { kind: 'dead', failure };
  if (attempt >= policy.maxAttempts) return { kind: 'dead', failure };
  const askedMs = error instanceof RetryTask && Number.isFinite(error.delayMs) ? error.delayMs : undefined;
  const delayMs = askedMs ?? delayOfAttemptMs(attempt, policy);
  return { kind: 'retry', levelMs: levelForDelayMs(delayMs, levelsMs), failure };
}

/** Why a task may not be postponed; undefined when it may. */
function refusalOf(
  error: PostponeTask,
  { count, totalMs }: Postponements,
  { maxCount, maxTotalMs }: Required<PostponeLimits>,
): MercuryError | undefined {
  const { delayMs } = error;
  if (typeof delayMs !== 'number' || Number.isNaN(delayMs)) {
    const message = `PostponeTask wants a number of milliseconds, not ${String(delayMs)}: ${describeError(error).message}`;
    return new MercuryError('POSTPONE_INVALID', message, { cause: error });
  }
  const wantedMs = wholeMs(delayMs);
  if (count < maxCount && wantedMs <= LONGEST_DELAY_MS && totalMs + wantedMs <= maxTotalMs) return undefined;
  const message =
    `It was postponed ${count} times, for ${totalMs} ms in all, and is to be for ${wantedMs} ms more; ` +
    `${maxCount} times and ${Math.min(maxTotalMs, LONGEST_DELAY_MS)} ms at once, ${maxTotalMs} ms in all, are allowed`;
  return new MercuryError('POSTPONED_TOO_LONG', `${message}: ${describeError(error).message}`, { cause: error });
}

function wholeMs(delayMs: number): number {
  return Math.max(0, Math.ceil(delayMs));
}
