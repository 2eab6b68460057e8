import { parse } from 'secure-json-parse';
import { ProblemException, problemOf } from '../problems/problem';
import { nextTurn, turn } from './loop-turns';
import { MOST_DEPTH, endOfString, isClosing, isOpening, scanJson } from './scan-json';

/** What is longer is read in pieces: JSON.parse takes up to 100 ms for each mebibyte of hostile text. */
export const LONG_BYTES = 32_768;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** In the place of what is long: so it shows that around it there is nothing but what belongs there, such as a key. */
const STUB = 'null';
const MALFORMED = 'The body is not well-formed JSON in UTF-8.';

export interface Json {
  value: unknown;
  text: string;
  /** Whether a number of it was changed by reading it. */
  hasInexact: boolean;
}

/**
 * Reads JSON in UTF-8, as JSON.parse does; a long text in slices, so that it holds the event loop for some 10 ms at a time.
 * @throws ProblemException 400 `MALFORMED_JSON`, also for keys that reach for a prototype; 422 for more than 128 levels.
 */
export async function readJson(bytes: Buffer): Promise<Json> {
  try {
    const isLong = bytes.length > LONG_BYTES;
    if (isLong) await nextTurn();
    const text = UTF8.decode(bytes);
    const { isTooDeep, isBalanced, hasInexact, ends } = await scanJson(text, LONG_BYTES);
    if (isTooDeep) throw tooDeep();
    // JSON.parse would read all of it before it sees that.
    if (isLong && !isBalanced) throw new SyntaxError('a bracket has no other one');
    const value = await new LongJson(text, ends).read();
    if (isLong) await nextTurn();
    return { value, text, hasInexact };
  } catch (error) {
    if (error instanceof ProblemException) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProblemException(problemOf(400, 'MALFORMED_JSON', `${MALFORMED} (${reason})`));
  }
}

function tooDeep(): ProblemException {
  const errors = [{ pointer: '', detail: `must not be nested deeper than ${MOST_DEPTH} levels` }];
  return new ProblemException(problemOf(422, 'INVALID_REQUEST', 'The body is nested too deep.', { errors }));
}

/** A text of which only what is short goes to JSON.parse: the members of long objects and arrays, as many at once as fit. */
class LongJson {
  constructor(
    private readonly text: string,
    /** Long objects and arrays: where each ends, by where it begins. */
    private readonly ends: ReadonlyMap<number, number>,
  ) {}

  read(): unknown {
    if (this.ends.size === 0) return this.piece(0, this.text.length);
    const [begin, end] = [...this.ends].reduce((one, other) => (other[0] < one[0] ? other : one));
    this.piece(0, begin, '', STUB + this.text.slice(end));
    return this.container(begin, end);
  }

  private async container(begin: number, end: number): Promise<unknown> {
    const isArray = this.text[begin] === '[';
    const target: unknown[] | Record<string, unknown> = isArray ? [] : {};
    if (this.text[end - 1] !== (isArray ? ']' : '}')) throw new SyntaxError(`Unexpected end at position ${end - 1}`);
    if (this.text.slice(begin + 1, end - 1).trim() === '') return target;
    let from = begin + 1;
    for (const member of this.members(begin, end)) {
      if (member.long !== undefined) {
        if (from < member.begin) this.add(target, from, member.begin - 1);
        await this.addLong(target, member.begin, member.long, member.end);
      } else if (member.end - from >= LONG_BYTES || member.end === end - 1) {
        this.add(target, from, member.end);
      } else {
        continue;
      }
      from = member.end + 1;
      await turn();
    }
    return target;
  }

  /** Members that come one after the other, all of them short. */
  private add(target: unknown[] | Record<string, unknown>, begin: number, end: number): void {
    if (Array.isArray(target)) for (const item of this.piece(begin, end, '[]') as unknown[]) target.push(item);
    else Object.assign(target, this.piece(begin, end, '{}'));
  }

  private async addLong(
    target: unknown[] | Record<string, unknown>,
    begin: number,
    long: number,
    end: number,
  ): Promise<void> {
    const longEnd = this.ends.get(long) ?? end;
    const rest = STUB + this.text.slice(longEnd, end);
    const stub = this.piece(begin, long, Array.isArray(target) ? '[]' : '{}', rest);
    const value = await this.container(long, longEnd);
    if (Array.isArray(target)) return void target.push(value);
    const [key = ''] = Object.keys(stub as object);
    if (key === 'constructor' && Object.hasOwn(Object(value) as object, 'prototype')) {
      throw new SyntaxError('Object contains forbidden prototype property');
    }
    target[key] = value;
  }

  /** Where the members begin and end, with the long object or array of each that has one. */
  private *members(begin: number, end: number): Generator<{ begin: number; end: number; long?: number }> {
    const { text } = this;
    let member: { begin: number; end: number; long?: number } = { begin: begin + 1, end: end - 1 };
    let depth = 0;
    let at = begin + 1;
    while (at < end - 1) {
      const code = text.charCodeAt(at);
      const longEnd = depth === 0 ? this.ends.get(at) : undefined;
      if (code === 0x22) {
        at = endOfString(text, at);
      } else if (longEnd !== undefined) {
        member.long ??= at;
        at = longEnd;
      } else if (code === 0x2c && depth === 0) {
        yield { ...member, end: at };
        member = { begin: at + 1, end: end - 1 };
        at += 1;
      } else {
        depth += Number(isOpening(code)) - Number(isClosing(code));
        at += 1;
      }
    }
    yield member;
  }

  /** @param around the brackets that make it a whole. */
  private piece(begin: number, end: number, around = '', rest = ''): unknown {
    const content = this.text.slice(begin, end) + rest;
    const [open = '', close = ''] = around;
    if (around !== '' && content.trim() === '') throw new SyntaxError(`Unexpected end of a list at position ${end}`);
    try {
      return parse(open + content + close) as unknown;
    } catch (error) {
      throw new SyntaxError(whole(error, begin - open.length), { cause: error });
    }
  }
}

/** The message, with the position in the whole text. */
function whole(error: unknown, offset: number): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/position (\d+).*$/, (_all, position: string) => `position ${Number(position) + offset}`);
}
