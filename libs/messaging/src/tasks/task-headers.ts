import { LONGEST_TIMER_MS } from '../checks';
import { HEADER } from '../headers';
import type { Identity } from './codec';
import { isCountOf, isTimestamp } from './field-checks';
import { MOST_ATTEMPTS } from './retry-policy';

type Headers = Identity['headers'];

/** Of one task; the bound of what a header may claim. */
const LONGEST_POSTPONED_MS = 366 * 86_400_000;

const MOST_OF_COUNTS: readonly (readonly [name: string, most: number])[] = [
  [HEADER.execution, MOST_ATTEMPTS],
  [HEADER.postponed, MOST_ATTEMPTS],
  [HEADER.postponedMs, LONGEST_POSTPONED_MS],
  [HEADER.maxAttempts, MOST_ATTEMPTS],
  [HEADER.timeoutMs, LONGEST_TIMER_MS],
];
export const MOST_TAGS = 10;
export const LONGEST_TAG_BYTES = 64;
const NO_TAGS: readonly string[] = Object.freeze([]);
/** What people cannot see, or what turns the direction of a text. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

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
  return countOf(headers[HEADER.execution], MOST_ATTEMPTS) ?? attempt;
}

export function postponementsOf(headers: Readonly<Headers>): Postponements {
  const { [HEADER.postponed]: count, [HEADER.postponedMs]: totalMs } = headers;
  return {
    count: isCountOf(count, MOST_ATTEMPTS) ? count : 0,
    totalMs: isCountOf(totalMs, LONGEST_POSTPONED_MS) ? totalMs : 0,
  };
}

/** When a task ends that was not begun by then; undefined when it never does. */
export function expiresAtMsOf(headers: Readonly<Headers>): number | undefined {
  const atMs = headers[HEADER.expiresAtMs];
  return isTimestamp(atMs) ? atMs : undefined;
}

/** Those that can be ones; none for a task without. */
export function tagsOf(headers: Readonly<Headers>): readonly string[] {
  const tags = headers[HEADER.tags];
  return Array.isArray(tags) ? tags.filter(isTag).slice(0, MOST_TAGS) : NO_TAGS;
}

export function isTag(tag: unknown): tag is string {
  return typeof tag === 'string' && tag !== '' && Buffer.byteLength(tag) <= LONGEST_TAG_BYTES && !UNSEEN.test(tag);
}

/** Attempts in all that its caller wants for this task; undefined when it says nothing. */
export function maxAttemptsOf(headers: Readonly<Headers>): number | undefined {
  return countOf(headers[HEADER.maxAttempts], MOST_ATTEMPTS);
}

/** How long its caller lets an attempt take; undefined when it says nothing. */
export function timeoutMsOf(headers: Readonly<Headers>): number | undefined {
  return countOf(headers[HEADER.timeoutMs], LONGEST_TIMER_MS);
}

function countOf(value: unknown, most: number): number | undefined {
  return isCountOf(value, most) && value >= 1 ? value : undefined;
}

/** Of what a task carries for its next executions, that which is as we write it: whoever sent it may have written anything. */
export function carriedHeaders(headers: Readonly<Headers>): Record<string, unknown> {
  const carried: Record<string, unknown> = {};
  for (const [name, most] of MOST_OF_COUNTS) {
    const count = countOf(headers[name], most);
    if (count !== undefined) carried[name] = count;
  }
  const expiresAtMs = expiresAtMsOf(headers);
  if (expiresAtMs !== undefined) carried[HEADER.expiresAtMs] = expiresAtMs;
  const tags = tagsOf(headers);
  if (tags.length > 0) carried[HEADER.tags] = tags;
  return carried;
}
