import { inexactErrors, inexactErrorsOfItems } from '../bodies/inexact-numbers';
import { turn } from '../bodies/loop-turns';
import { JsonList, MOST_BYTES_UNDER_WAY, MOST_JSON_BYTES, Ndjson } from '../bodies/parse-bodies';
import { tooLarge } from '../bodies/read-bytes';
import { readJson } from '../bodies/read-json';
import { ProblemException, problemOf, type Problem } from '../problems/problem';
import { MOST_ERRORS, refuse } from '../problems/read-body';

const MOST_ITEMS = 1_000;
/** In all results of one batch: an answer must not grow far beyond its request. */
const MOST_ERRORS_OF_BATCH = 2_000;
const LINE_FEED = 0x0a;
/** Of JSON: space, tab and carriage return. */
const SPACES = new Set([0x20, 0x09, 0x0d]);

/** One item of a batch. */
export interface BatchItem {
  /** Its length as it was sent; 0 where it has been read already. */
  bytes: number;
  /** @throws ProblemException when it is malformed, or has numbers that would change: that is this item's problem only. */
  read: () => unknown;
}

/**
 * The items of a batch.
 * @throws ProblemException 422 for no items or more than 1,000, or for a body that is no list.
 */
export async function readBatch(body: unknown): Promise<BatchItem[]> {
  const items = await itemsOf(body);
  if (!items) throw refusal('must be a JSON array of tasks');
  if (items.length === 0) throw refusal('must hold at least one task');
  return items;
}

/**
 * Reads one item after the other, so that others come on in between, and starts its work, so that many are under way at once,
 * within bounds. Resolves to the results, in order.
 */
export async function workOff<Result>(
  items: readonly BatchItem[],
  work: (read: () => unknown, index: number) => Promise<() => Promise<Result>>,
): Promise<Result[]> {
  const results: Promise<Result>[] = [];
  let bytesUnderWay = 0;
  let onRoom = () => {};
  for (const [index, { bytes, read }] of items.entries()) {
    await turn();
    while (bytesUnderWay > 0 && bytesUnderWay + bytes > MOST_BYTES_UNDER_WAY) {
      await new Promise<void>((resolve) => (onRoom = resolve));
    }
    bytesUnderWay += bytes;
    const finish = await work(read, index);
    results.push(
      finish().finally(() => {
        bytesUnderWay -= bytes;
        onRoom();
      }),
    );
  }
  return Promise.all(results);
}

/** Lets the first problems of a batch name their fields, and the others only how many. */
export function shortened<Result extends object>(results: (Result | Problem)[]): (Result | Problem)[] {
  let room = MOST_ERRORS_OF_BATCH;
  return results.map((result) => {
    if (!('errors' in result) || !result.errors) return result;
    room -= result.errors.length;
    if (room >= 0) return result;
    const { errors: _errors, ...rest } = result;
    return rest;
  });
}

async function itemsOf(body: unknown): Promise<BatchItem[] | undefined> {
  if (body instanceof Ndjson) return linesOf(body.bytes);
  if (body instanceof JsonList) return elementsOf(body);
  return undefined;
}

async function elementsOf({ json: { value, text, hasInexact } }: JsonList): Promise<BatchItem[] | undefined> {
  if (!Array.isArray(value)) return undefined;
  if (value.length > MOST_ITEMS) throw tooMany();
  const errors = hasInexact ? await inexactErrorsOfItems(text, MOST_ERRORS + 1) : undefined;
  return value.map((item: unknown, index) => ({
    bytes: 0,
    read: () => {
      refuse(errors?.get(index) ?? []);
      return item;
    },
  }));
}

/** Split at line feeds only; lines of nothing but spaces are none. */
async function linesOf(bytes: Buffer): Promise<BatchItem[]> {
  const lines: BatchItem[] = [];
  let at = 0;
  while (at < bytes.length) {
    const begin = bytes[at];
    if (begin === LINE_FEED || SPACES.has(Number(begin))) {
      at += 1;
      // A body may be nothing else.
      if (at % 65_536 === 0) await turn();
      continue;
    }
    const lineFeed = bytes.indexOf(LINE_FEED, at);
    const end = lineFeed === -1 ? bytes.length : lineFeed;
    if (lines.length === MOST_ITEMS) throw tooMany();
    const line = bytes.subarray(at, end);
    lines.push({ bytes: line.length, read: () => readLine(line) });
    at = end + 1;
  }
  return lines;
}

async function readLine(line: Buffer): Promise<unknown> {
  if (line.length > MOST_JSON_BYTES) throw tooLarge(MOST_JSON_BYTES);
  const { value, text, hasInexact } = await readJson(line);
  if (hasInexact) refuse(await inexactErrors(text, MOST_ERRORS + 1));
  return value;
}

function tooMany(): ProblemException {
  return refusal(`must hold at most ${MOST_ITEMS} tasks`);
}

function refusal(detail: string): ProblemException {
  const errors = [{ pointer: '', detail }];
  return new ProblemException(problemOf(422, 'INVALID_REQUEST', `The batch ${detail}.`, { errors }));
}
