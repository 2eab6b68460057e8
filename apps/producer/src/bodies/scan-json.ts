import { isInexact } from './inexact-numbers';
import { turn } from './loop-turns';

/** As deep as most parsers go. JSON.stringify looks through all levels above each value, and ends where the stack does. */
export const MOST_DEPTH = 128;
/** Of strings, numbers and brackets. */
export const TOKENS_PER_LOOK = 4_096;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What one look at a text finds, well-formed or not. */
export interface JsonScan {
  /** Whether anything is nested deeper than 128 levels; nothing behind that was looked at. */
  isTooDeep: boolean;
  /** Whether every bracket has its other one. */
  isBalanced: boolean;
  /** Whether a number would not be the same when it is written again. */
  hasInexact: boolean;
  /** Objects and arrays longer than asked for: where each ends, by where it begins. */
  ends: Map<number, number>;
}

/** In one pass over the characters, without reading the values: its time depends on the length only. */
export async function scanJson(text: string, longLength: number): Promise<JsonScan> {
  const scan: JsonScan = { isTooDeep: false, isBalanced: true, hasInexact: false, ends: new Map() };
  const begins: number[] = [];
  let at = 0;
  for (let tokens = 1; at < text.length; tokens++) {
    if (tokens % TOKENS_PER_LOOK === 0) await turn();
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (isOpening(code)) {
      begins.push(at++);
      if (begins.length > MOST_DEPTH) return { ...scan, isTooDeep: true };
    } else if (isClosing(code)) {
      const begin = begins.pop();
      at += 1;
      if (begin === undefined) return { ...scan, isBalanced: false };
      if (at - begin > longLength) scan.ends.set(begin, at);
    } else if (isNumeric(code)) {
      const end = endOfNumber(text, at);
      scan.hasInexact ||= isInexact(text, at, end);
      at = end;
    } else {
      at += 1;
    }
  }
  return { ...scan, isBalanced: begins.length === 0 };
}

/** `{` or `[` */
export function isOpening(code: number): boolean {
  return code === 0x7b || code === 0x5b;
}

/** `}` or `]` */
export function isClosing(code: number): boolean {
  return code === 0x7d || code === 0x5d;
}

/** A digit or `-`, with which every number begins. */
export function isNumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2d;
}

export function endOfNumber(text: string, begin: number): number {
  let end = begin + 1;
  for (;;) {
    const code = text.charCodeAt(end);
    // Digits, and + - . E e
    if (!(isNumeric(code) || code === 0x2b || code === 0x2e || code === 0x45 || code === 0x65)) return end;
    end += 1;
  }
}

/** Behind the closing quote; the end of the text when there is none. */
export function endOfString(text: string, begin: number): number {
  let from = begin + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return text.length;
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes escape each other.
    if ((quote - before) % 2 === 1) return quote + 1;
    from = quote + 1;
  }
}
