import type { DeadLetterSummary } from './dead-letter';

type Like = Pick<DeadLetterSummary, 'deadAtMs' | 'bodyBytes'>;

/** How many of them, from the first on, have no more bytes than that together; one at least. */
export function fittingCount(letters: readonly Like[], mostBytes: number): number {
  let bytes = 0;
  const firstTooMany = letters.findIndex(({ bodyBytes }) => (bytes += bodyBytes) > mostBytes);
  return Math.max(firstTooMany === -1 ? letters.length : firstTooMany, 1);
}

/**
 * Finds letters of one id again that another reading has found: says of each that comes whether it is one of the wanted.
 * Letters that are alike may stand for each other.
 * @param before those of the pages before.
 */
export function selection(before: readonly Like[], wanted: readonly Like[]): (letter: Like) => boolean {
  const skipped = counted(before);
  const taken = counted(wanted);
  return (letter) => !takeOne(skipped, letter) && takeOne(taken, letter);
}

const likeness = ({ deadAtMs, bodyBytes }: Like) => `${deadAtMs} ${bodyBytes}`;

function counted(letters: readonly Like[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const letter of letters) counts.set(likeness(letter), (counts.get(likeness(letter)) ?? 0) + 1);
  return counts;
}

function takeOne(counts: Map<string, number>, letter: Like): boolean {
  const count = counts.get(likeness(letter)) ?? 0;
  if (count > 0) counts.set(likeness(letter), count - 1);
  return count > 0;
}
