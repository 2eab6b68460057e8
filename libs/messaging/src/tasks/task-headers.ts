import { HEADER } from '../headers';
import { isCountOf, type Identity } from './codec';
import { MOST_ATTEMPTS } from './retry-policy';

type Headers = Identity['headers'];

/** Of one task; the bound of what a header may claim. */
const LONGEST_POSTPONED_MS = 366 * 86_400_000;

/** How often and for how long in all a task was postponed. */
export interface Postponements {
  readonly count: number;
  readonly totalMs: number;
}

/**
 * The number of an execution: 1, 2, 3 …, over attempts, postponements and replays. A task of a program that does not count them has had
 * one for each attempt.
 */
export function executionOf({ attempt, headers }: { attempt: number; headers: Readonly<Headers> }): number {
  const execution = headers[HEADER.execution];
  return isCountOf(execution, MOST_ATTEMPTS) && execution >= 1 ? execution : attempt;
}

export function postponementsOf(headers: Readonly<Headers>): Postponements {
  const { [HEADER.postponed]: count, [HEADER.postponedMs]: totalMs } = headers;
  return {
    count: isCountOf(count, MOST_ATTEMPTS) ? count : 0,
    totalMs: isCountOf(totalMs, LONGEST_POSTPONED_MS) ? totalMs : 0,
  };
}

/** Of what a task carries for its next executions, that which is as we write it: whoever sent it may have written anything. */
export function carriedHeaders(headers: Readonly<Headers>): Record<string, number> {
  const carried: Record<string, number> = {};
  const carry = (name: string, least: number, most: number) => {
    const value = headers[name];
    if (isCountOf(value, most) && value >= least) carried[name] = value;
  };
  carry(HEADER.execution, 1, MOST_ATTEMPTS);
  carry(HEADER.postponed, 1, MOST_ATTEMPTS);
  carry(HEADER.postponedMs, 1, LONGEST_POSTPONED_MS);
  return carried;
}
