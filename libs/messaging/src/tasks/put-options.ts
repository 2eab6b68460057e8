import { LONGEST_DELAY_MS } from '../broker/delay';
import { LONGEST_TIMER_MS } from '../checks';
import { InvalidMessageError } from '../errors';
import { HEADER } from '../headers';
import { checkCallerHeaders, type CallerHeaders } from './caller-headers';
import { LATEST_DATE_MS, isTimestamp, isTraceparent } from './field-checks';
import { MOST_ATTEMPTS } from './retry-policy';
import { LONGEST_TAG_BYTES, MOST_TAGS, isTag } from './task-headers';

export interface PutOptions {
  /** The task's id, 1 to 255 printable ASCII characters. Default: a new UUIDv7. */
  id?: string;
  /** The task's type. Default: the body's own `type` field. */
  type?: string;
  /**
   * Headers of your own, at most 8 KiB in all: they travel with the task through every attempt, delay, dead letter and replay. Not
   * those that Mercury and RabbitMQ write themselves, nor `CC` and `BCC`.
   */
  headers?: CallerHeaders;
  /** W3C trace context, carried to the handler as a header. */
  traceparent?: string;
  /** The task runs no earlier than after so many milliseconds, at most 30 days. Default: at once. */
  delayMs?: number;
  /** The task runs no earlier than then: a date, or milliseconds since 1970. At most 30 days ahead; the past is now. */
  runAt?: Date | number;
  /** A task that was not begun by then, in milliseconds since 1970, is dead (`EXPIRED`) and never runs. Default: it waits as long as it takes. */
  expiresAtMs?: number;
  /** The same, as so many milliseconds from the put. Not both. */
  ttlMs?: number;
  /** Words to find the task by, such as `order:4711`: at most 10, each 1 to 64 bytes of characters that can be seen, or spaces. */
  tags?: readonly string[];
  /** Attempts in all, the first included, 1 to 1,000,000. Default: those of its type, else of its worker. */
  maxAttempts?: number;
  /**
   * How long one attempt may take, in milliseconds. Default: that of its type, else of its worker. Never longer than the worker has told the
   * broker that its tasks take, which is 29 minutes or its longest timeout: longer is cut to that.
   */
  timeoutMs?: number;
}

type TaskHeaders = Record<string, string | number | boolean | readonly string[]>;

/**
 * The headers of a new task.
 * @throws InvalidMessageError `TASK_INVALID` for options that no task can have.
 */
export function headersOf(options: PutOptions, nowMs: number): TaskHeaders {
  const { traceparent, headers: ofCaller, tags, maxAttempts, timeoutMs } = options;
  const headers: TaskHeaders = { [HEADER.attempt]: 1, [HEADER.enqueuedAtMs]: nowMs };
  if (ofCaller) {
    checkCallerHeaders(ofCaller, 'TASK_INVALID');
    Object.assign(headers, ofCaller);
  }
  if (traceparent !== undefined) {
    if (!isTraceparent(traceparent)) throw invalid('traceparent must have the form of W3C Trace Context.');
    headers[HEADER.traceparent] = traceparent;
  }
  const notBeforeMs = notBeforeMsFor(options, nowMs);
  if (notBeforeMs !== undefined) headers[HEADER.notBeforeMs] = notBeforeMs;
  const expiresAtMs = expiresAtMsFor(options, nowMs, notBeforeMs);
  if (expiresAtMs !== undefined) headers[HEADER.expiresAtMs] = expiresAtMs;
  if (tags !== undefined) {
    const fit = Array.isArray(tags) && tags.length <= MOST_TAGS && tags.every(isTag);
    if (!fit)
      throw invalid(`tags must be at most ${MOST_TAGS} texts of 1 to ${LONGEST_TAG_BYTES} bytes that can be printed.`);
    if (tags.length > 0) headers[HEADER.tags] = [...tags];
  }
  if (maxAttempts !== undefined) headers[HEADER.maxAttempts] = whole('maxAttempts', maxAttempts, MOST_ATTEMPTS);
  if (timeoutMs !== undefined) headers[HEADER.timeoutMs] = whole('timeoutMs', timeoutMs, LONGEST_TIMER_MS);
  return headers;
}

function notBeforeMsFor({ delayMs, runAt }: PutOptions, nowMs: number): number | undefined {
  if (delayMs === undefined && runAt === undefined) return undefined;
  if (delayMs !== undefined && runAt !== undefined) throw invalid('A task has delayMs or runAt, not both.');
  if (delayMs !== undefined && !(Number.isSafeInteger(delayMs) && delayMs >= 0)) {
    throw invalid('delayMs must be a whole number of milliseconds, 0 or more.');
  }
  const notBeforeMs = delayMs === undefined ? (runAt instanceof Date ? runAt.getTime() : runAt) : nowMs + delayMs;
  if (!Number.isSafeInteger(notBeforeMs))
    throw invalid('runAt must be a valid date, or whole milliseconds since 1970.');
  if (Number(notBeforeMs) - nowMs > LONGEST_DELAY_MS) throw invalid('A task may be delayed by at most 30 days.');
  return Number(notBeforeMs) > nowMs ? notBeforeMs : undefined;
}

function expiresAtMsFor(options: PutOptions, nowMs: number, notBeforeMs = nowMs): number | undefined {
  const { expiresAtMs, ttlMs } = options;
  if (expiresAtMs === undefined && ttlMs === undefined) return undefined;
  if (expiresAtMs !== undefined && ttlMs !== undefined) throw invalid('A task has expiresAtMs or ttlMs, not both.');
  if (ttlMs !== undefined) whole('ttlMs', ttlMs, LATEST_DATE_MS - nowMs);
  const atMs = ttlMs === undefined ? expiresAtMs : nowMs + ttlMs;
  if (!isTimestamp(atMs) || atMs <= nowMs) {
    throw invalid('expiresAtMs must be a time in the future, in whole milliseconds since 1970.');
  }
  if (atMs <= notBeforeMs) throw invalid('The task would expire before it is due.');
  return atMs;
}

function whole(name: string, value: unknown, most: number): number {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most) return Number(value);
  throw invalid(`${name} must be a whole number from 1 to ${most}.`);
}

function invalid(message: string): InvalidMessageError {
  return new InvalidMessageError('TASK_INVALID', message);
}
