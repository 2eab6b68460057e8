import { DiscardTask, RetryTask, describeError } from '../errors';
import { type RetryPolicy, delayOfAttemptMs, levelForDelayMs } from './retry-policy';

export interface Failure {
  code: string;
  message: string;
}

/** How an execution ended. Closed: settlement handles each of these and nothing else. */
export type Outcome =
  | { kind: 'success' }
  | { kind: 'retry'; levelMs: number; failure: Failure }
  | { kind: 'dead'; failure: Failure }
  | { kind: 'released' };

/**
 * Decides what becomes of a task whose attempt number `attempt` threw `error`. Pure.
 * @param levelsMs the retry levels that the queue has; the policy of one task type may want other delays.
 */
export function decideFailure(
  error: unknown,
  attempt: number,
  policy: RetryPolicy,
  levelsMs: readonly number[] = policy.delaysMs,
): Outcome {
  const failure = describeError(error);
  if (error instanceof DiscardTask) return { kind: 'dead', failure };
  if (attempt >= policy.maxAttempts) return { kind: 'dead', failure };
  const askedMs = error instanceof RetryTask && Number.isFinite(error.delayMs) ? error.delayMs : undefined;
  const delayMs = askedMs ?? delayOfAttemptMs(attempt, policy);
  return { kind: 'retry', levelMs: levelForDelayMs(delayMs, levelsMs), failure };
}
