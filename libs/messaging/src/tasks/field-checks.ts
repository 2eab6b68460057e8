/** What the fields of a task's message may be: whoever sent it may have written anything there. */

export const LATEST_DATE_MS = 8.64e15;
const PRINTABLE_ID = /^[\x21-\x7e]{1,255}$/;
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

export function isTaskId(id: unknown): id is string {
  return typeof id === 'string' && PRINTABLE_ID.test(id);
}

/** W3C Trace Context, version 00 and those that keep its form. */
export function isTraceparent(value: unknown): value is string {
  return typeof value === 'string' && TRACEPARENT.test(value);
}

/** What the protocol's short strings can hold. */
export function isShortString(value: unknown): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) <= 255;
}

/** Milliseconds (or seconds) since 1970 that a Date can hold: foreign programs write anything. */
export function isTimestamp(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= LATEST_DATE_MS;
}

/** A whole number from 0 to `most`: what is to be counted on must stay one. */
export function isCountOf(value: unknown, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
}
