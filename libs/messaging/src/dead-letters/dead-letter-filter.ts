import { DeadLetterError } from '../errors';
import type { DeadLetterSummary } from './dead-letter';

/** Which dead letters are meant: those to which everything given applies. */
export interface DeadLetterFilter {
  /** Every letter that has one of these ids. */
  ids?: readonly string[];
  type?: string;
  code?: string;
  /** Dead at this time or later, in milliseconds since 1970. A letter without a time matches no range. */
  fromMs?: number;
  /** Dead before this time. */
  toMs?: number;
  /** Bytes of the body contain this text; capitals matter. */
  text?: string;
}

/** Whether anything is asked for; without it every letter matches. */
export function isNarrow(filter: DeadLetterFilter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/** Answers for each letter whether it is meant. */
export function matcherOf(filter: DeadLetterFilter): (letter: DeadLetterSummary, content: Buffer) => boolean {
  const { type, code, fromMs, toMs } = filter;
  const ids = filter.ids && new Set(filter.ids);
  const text = filter.text === undefined ? undefined : Buffer.from(filter.text);
  return (letter, content) =>
    (!ids || ids.has(letter.id)) &&
    (type === undefined || letter.type === type) &&
    (code === undefined || letter.code === code) &&
    (fromMs === undefined || (letter.deadAtMs ?? -Infinity) >= fromMs) &&
    (toMs === undefined || (letter.deadAtMs ?? Infinity) < toMs) &&
    (text === undefined || content.includes(text));
}

/** ISO 8601 with its time zone, or milliseconds since 1970 (a year alone is neither); undefined for anything else. */
export function timeMsOf(text: string): number | undefined {
  if (/^\d{12,15}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

type Position = Pick<DeadLetterSummary, 'id' | 'deadAtMs'>;

/** Oldest first, those without a time before all others; of the same time by id. The queue's own order survives no reading. */
export function byDeath(a: Position, b: Position): number {
  return (a.deadAtMs ?? 0) - (b.deadAtMs ?? 0) || (a.id < b.id ? -1 : Number(a.id > b.id));
}

export interface Page<Letter = DeadLetterSummary> {
  letters: Letter[];
  /** Where the next page begins; missing on the last one. */
  cursor?: string;
}

/**
 * @param sorted all that match, in order.
 * @param cursor of the page before. It names the last letter of that page and how many just like it were shown: so
 * letters that came or went meanwhile move nothing.
 * @throws DeadLetterError `DEAD_LETTERS_INVALID` for a cursor that is none.
 */
export function pageOf<Letter extends Position>(
  sorted: readonly Letter[],
  limit: number,
  cursor?: string,
): Page<Letter> {
  let begin = 0;
  if (cursor !== undefined) {
    const { shown, ...last } = decodeCursor(cursor);
    const after = sorted.findIndex((letter) => byDeath(letter, last) >= 0);
    const equals = sorted.filter((letter) => byDeath(letter, last) === 0).length;
    begin = after === -1 ? sorted.length : after + Math.min(shown, equals);
  }
  const letters = sorted.slice(begin, begin + limit);
  const last = letters.at(-1);
  if (!last || begin + limit >= sorted.length) return { letters };
  const shown = sorted.slice(0, begin + limit).filter((letter) => byDeath(letter, last) === 0).length;
  return { letters, cursor: encodeCursor(last, shown) };
}

function encodeCursor({ id, deadAtMs }: Position, shown: number): string {
  return Buffer.from(JSON.stringify([deadAtMs ?? 0, id, shown])).toString('base64url');
}

function decodeCursor(cursor: string): Position & { shown: number } {
  try {
    const [deadAtMs, id, shown] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof deadAtMs === 'number' && typeof id === 'string' && typeof shown === 'number') {
      return { deadAtMs, id, shown };
    }
  } catch {
    // Told below.
  }
  throw new DeadLetterError('DEAD_LETTERS_INVALID', 'The cursor is none of a list: take it from the page before.');
}
