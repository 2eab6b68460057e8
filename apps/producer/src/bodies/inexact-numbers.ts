import { cut, pointerOf, type ProblemDetail } from '../problems/problem';
import { turn } from './loop-turns';
import { TOKENS_PER_LOOK, endOfNumber, endOfString, isClosing, isNumeric, isOpening } from './scan-json';

/** A double keeps so many digits of every number within its range. */
const KEPT_DIGITS = 15;
const FIRST_INEXACT = 2 ** 53;

type Step = string | number;

/**
 * Whether a JSON number would lose integer digits, become infinite or zero when it is read as a double and written again.
 * What decimals lose far behind the point is what every program takes into account.
 */
export function isInexact(text: string, begin: number, end: number): boolean {
  const mantissaEnd = endOfMantissa(text, begin, end);
  const isKept = mantissaEnd - begin <= KEPT_DIGITS;
  if (isKept && mantissaEnd === end) return false;
  const token = text.slice(begin, end);
  const value = Number(token);
  if (Number.isNaN(value)) return false;
  if (!Number.isFinite(value)) return true;
  if (value === 0) return /^[^Ee]*[1-9]/.test(token);
  return !isKept && Math.abs(value) >= FIRST_INEXACT && integerDigits(token) !== integerDigits(String(value));
}

function endOfMantissa(text: string, begin: number, end: number): number {
  let at = begin;
  // Without E and e.
  while (at < end && (text.charCodeAt(at) | 0x20) !== 0x65) at += 1;
  return at;
}

/** The digits in front of the point, without zeros at either end, and how many there are: the same for 1e3 and 1000.0. */
function integerDigits(token: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[Ee]([+-]?\d+))?$/.exec(token) ?? [];
  const leadingZeros = /^0*/.exec(whole + fraction)?.[0].length ?? 0;
  const pointAt = whole.length + Number(exponent) - leadingZeros;
  const digits = (whole + fraction).slice(leadingZeros, leadingZeros + pointAt).replace(/0+$/, '');
  return `${digits}e${pointAt}`;
}

/** @param most that are named. */
export async function inexactErrors(text: string, most: number): Promise<ProblemDetail[]> {
  const errors: ProblemDetail[] = [];
  await forEachInexact(text, (path, token) => {
    errors.push(errorOf(path, token));
    return errors.length < most;
  });
  return errors;
}

/** The same for each item of an array, with pointers into the item. */
export async function inexactErrorsOfItems(text: string, mostEach: number): Promise<Map<unknown, ProblemDetail[]>> {
  const byItem = new Map<unknown, ProblemDetail[]>();
  await forEachInexact(text, ([item, ...path], token) => {
    const errors = byItem.get(item) ?? [];
    if (errors.length < mostEach) byItem.set(item, [...errors, errorOf(path, token)]);
    return true;
  });
  return byItem;
}

/**
 * Of a well-formed text, in order, and others come on in between.
 * @param visit is told the key, as it is written, or the index on each level; false ends it.
 */
async function forEachInexact(
  text: string,
  visit: (path: readonly (Step | undefined)[], token: string) => boolean,
): Promise<void> {
  const path: (Step | undefined)[] = [];
  let at = 0;
  for (let tokens = 1; at < text.length; tokens++) {
    if (tokens % TOKENS_PER_LOOK === 0) await turn();
    const code = text.charCodeAt(at);
    const top = path.length - 1;
    const step = path[top];
    if (code === 0x22) {
      const end = endOfString(text, at);
      if (isKey(text, end)) path[top] = text.slice(at, end);
      at = end;
    } else if (isNumeric(code)) {
      const end = endOfNumber(text, at);
      if (isInexact(text, at, end) && !visit(path, text.slice(at, end))) return;
      at = end;
    } else {
      if (isOpening(code)) path.push(code === 0x5b ? 0 : undefined);
      else if (isClosing(code)) path.pop();
      else if (code === 0x2c && typeof step === 'number') path[top] = step + 1;
      at += 1;
    }
  }
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text.charAt(at))) at += 1;
  return text.charAt(at) === ':';
}

function errorOf(path: readonly (Step | undefined)[], token: string): ProblemDetail {
  const names = path.map((step) => (typeof step === 'string' ? (JSON.parse(step) as string) : String(step)));
  const detail = `${cut(token, 40)} cannot be kept exactly as a number (IEEE 754 double): send it as a string`;
  return { pointer: pointerOf(names), detail };
}
