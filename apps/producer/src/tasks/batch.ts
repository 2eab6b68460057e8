import { parse } from 'secure-json-parse';
import { ProblemException, problemOf } from '../problems/problem';

const MOST_ITEMS = 1_000;

/** A body sent as application/x-ndjson: one task per line. */
export class Ndjson {
  constructor(readonly text: string) {}
}

/**
 * The items of a batch, each to be read by itself: a line that is no JSON is that item's problem only.
 * @throws ProblemException 422 for no items or more than 1,000, or for a body that is no list.
 */
export function readBatch(body: unknown): (() => unknown)[] {
  const items = itemsOf(body);
  if (!items) throw refusal('must be a JSON array of tasks');
  if (items.length === 0) throw refusal('must hold at least one task');
  if (items.length > MOST_ITEMS) throw tooMany(items.length);
  return items;
}

function itemsOf(body: unknown): (() => unknown)[] | undefined {
  if (body instanceof Ndjson) return linesOf(body.text);
  if (!Array.isArray(body)) return undefined;
  // Counted before anything is made of them.
  if (body.length > MOST_ITEMS) throw tooMany(body.length);
  return body.map((item: unknown) => () => item);
}

function linesOf(text: string): (() => unknown)[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => () => parseLine(line));
}

function parseLine(line: string): unknown {
  try {
    return parse(line) as unknown;
  } catch (error) {
    throw new ProblemException(
      problemOf(400, 'MALFORMED_JSON', `The line is not well-formed JSON. (${String(error)})`),
    );
  }
}

function tooMany(count: number): ProblemException {
  return refusal(`must hold at most ${MOST_ITEMS} tasks, not ${count}`);
}

function refusal(detail: string): ProblemException {
  const errors = [{ pointer: '', detail }];
  return new ProblemException(problemOf(422, 'INVALID_REQUEST', `The batch ${detail}.`, { errors }));
}
