import { types } from 'node:util';

/** What JSON would change or leave out without a word. */
export interface JsonLoss {
  /** Where it is: a JSON pointer (RFC 6901). */
  pointer: string;
  /** What it is, for people. */
  what: string;
}

const LONGEST_POINTER = 500;

/** From the value outwards. */
interface Found {
  what: string;
  path: string[];
}

/**
 * The first value that would not arrive as it is: what is no JSON, and what JSON writes as something else (a Map as `{}`, NaN as
 * `null`). A field that is undefined is none: it is left out everywhere. Undefined when there is no such value.
 * @throws RangeError when it is nested deeper than the stack, or refers to itself.
 */
export function jsonLossIn(body: object): JsonLoss | undefined {
  const found = lossInObject(body, '');
  if (!found) return undefined;
  const pointer = found.path.reverse().map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  return { pointer: pointer.join('').slice(0, LONGEST_POINTER), what: found.what };
}

function lossInObject(object: object, key: string): Found | undefined {
  if (Array.isArray(object)) return lossInList(object);
  const { toJSON } = object as { toJSON?: unknown };
  if (typeof toJSON === 'function') return lossInWritten(object, toJSON as ToJson, key);
  const prototype: unknown = Object.getPrototypeOf(object);
  const keys = Object.keys(object);
  if (prototype !== Object.prototype) {
    const what = whatIsLostOf(object, prototype, keys.length);
    if (what !== undefined) return { what, path: [] };
  }
  for (const name of keys) {
    const value = (object as Record<string, unknown>)[name];
    if (isPlain(value) || value === undefined) continue;
    const found = lossIn(value, name);
    if (found) return within(found, name);
  }
  return undefined;
}

function lossInList(list: readonly unknown[]): Found | undefined {
  // By index: what a list leaves out is written, too.
  for (let index = 0; index < list.length; index++) {
    const value = list[index];
    if (isPlain(value)) continue;
    const found = value === undefined ? { what: 'undefined in a list', path: [] } : lossIn(value, String(index));
    if (found) return within(found, String(index));
  }
  return undefined;
}

/** What most values are. */
function isPlain(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

function lossIn(value: unknown, key: string): Found | undefined {
  if (typeof value === 'object') return value === null ? undefined : lossInObject(value, key);
  if (typeof value === 'bigint') return lossInBigInt(value, key);
  if (typeof value === 'number' && !isPlain(value)) return { what: String(value), path: [] };
  const isNone = typeof value === 'function' || typeof value === 'symbol';
  return isNone ? { what: `a ${typeof value}`, path: [] } : undefined;
}

type ToJson = (key: string) => unknown;

/** What says itself how it is to be written: that is what has to arrive. */
function lossInWritten(value: object, toJSON: ToJson, key: string): Found | undefined {
  if (ArrayBuffer.isView(value)) return { what: 'a Buffer', path: [] };
  if (types.isDate(value) && Number.isNaN(value.getTime())) return { what: 'an invalid date', path: [] };
  const written = toJSON.call(value, key);
  return written === undefined
    ? { what: `${nameOf(value)} whose toJSON gives nothing`, path: [] }
    : lossIn(written, key);
}

/** Programs teach BigInt a toJSON. */
function lossInBigInt(value: bigint, key: string): Found | undefined {
  const { toJSON } = Object(value) as { toJSON?: unknown };
  return typeof toJSON === 'function'
    ? lossIn((toJSON as ToJson).call(value, key), key)
    : { what: 'a BigInt', path: [] };
}

/** Of an instance of a class: whether its fields are all that there is of it. */
function whatIsLostOf(object: object, prototype: unknown, fields: number): string | undefined {
  if (types.isBoxedPrimitive(object)) {
    const value: unknown = object.valueOf();
    return isPlain(value) || typeof value === 'boolean' ? undefined : `a boxed ${String(value)}`;
  }
  const isBuiltIn =
    types.isMap(object) || types.isSet(object) || types.isNativeError(object) || types.isAnyArrayBuffer(object);
  if (isBuiltIn || ArrayBuffer.isView(object)) return nameOf(object);
  if (fields > 0) return undefined;
  // A class without anything but fields may have none; one that can do something has it from what JSON does not see.
  for (
    let each = prototype;
    each !== null && Object.getPrototypeOf(each) !== null;
    each = Object.getPrototypeOf(each)
  ) {
    if (Object.getOwnPropertyNames(each).length > 1) return `${nameOf(object)} without fields`;
  }
  return undefined;
}

function nameOf(value: object): string {
  return `an instance of ${String(value.constructor?.name ?? 'a class').slice(0, 100)}`;
}

function within(found: Found, key: string): Found {
  found.path.push(key);
  return found;
}
