import type { DeadLetterSummary } from './dead-letter';

type Like = Pick<DeadLetterSummary, 'id' | 'deadAtMs' | 'bodyBytes'>;

/** How many letters of these sizes, from the first on, have no more bytes than that together; one at least. */
export function fittingCount(sizes: readonly number[], mostBytes: number): number {
  let bytes = 0;
  const firstTooMany = sizes.findIndex((size) => (bytes += size) > mostBytes);
  return Math.max(firstTooMany === -1 ? sizes.length : firstTooMany, 1);
}

/** Parts of a list, in its order, each with at most so many letters and bytes; one letter at least. */
export function* portionsOf<Letter extends { heldBytes: number }>(
  letters: readonly Letter[],
  mostLetters: number,
  mostBytes: number,
): Generator<Letter[]> {
  for (let begin = 0; begin < letters.length;) {
    const next = letters.slice(begin, begin + Math.max(Math.floor(mostLetters), 1));
    const sizes = next.map(({ heldBytes }) => heldBytes);
    const portion = next.slice(0, fittingCount(sizes, mostBytes));
    yield portion;
    begin += portion.length;
  }
}

/**
 * Finds letters again that another reading has found: says of each that comes whether it is one of the wanted. Letters that
 * are alike may stand for each other.
 * @param before those of the pages before.
 */
export function selection(before: readonly Like[], wanted: readonly Like[]): (letter: Like) => boolean {
  const skipped = counted(before);
  const taken = counted(wanted);
  return (letter) => !takeOne(skipped, letter) && takeOne(taken, letter);
}

const likeness = ({ id, deadAtMs, bodyBytes }: Like) => `${deadAtMs} ${bodyBytes} ${id}`;

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
