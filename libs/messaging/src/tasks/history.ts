/** An attempt that failed, as the task itself carries it from queue to queue. */
export interface FailedAttempt {
  /** 1 for the first; after a replay it starts at 1 again. */
  attempt: number;
  /** Number of the replay that it belongs to; missing before the first replay. */
  replay?: number;
  startedAtMs?: number;
  durationMs?: number;
  /** `host:pid`. */
  worker?: string;
  code: string;
  message: string;
  /** The first lines of the stack: where it was thrown. */
  stack?: string[];
}

export interface History {
  /** The first attempt and the latest ones, in order. */
  attempts: FailedAttempt[];
  /** How many were left out between the first of `attempts` and the second: the header has its limit. */
  omitted: number;
}

/** The broker takes 128 KiB of headers (RabbitMQ docs, frame_max); people read less. */
const MOST_BYTES = 16 * 1_024;
/** Of two attempts, whatever is in them. */
export const LEAST_HISTORY_BYTES = 1_024;
/** `{"attempts":[],"omitted":}` and the number. */
const ENVELOPE_BYTES = 42;
const SHORT_MESSAGE = 100;
const SHORT_CODE = 50;
const LONGEST_CODE = 100;
const LONGEST_MESSAGE = 500;
const LONGEST_WORKER = 100;
const MOST_STACK_LINES = 5;
const LONGEST_STACK_LINE = 200;

/** Where it was thrown: the first lines of a stack, without the message above them. Never throws. */
export function firstStackLines(error: unknown): string[] {
  try {
    const stack = error instanceof Error ? String(error.stack) : '';
    const lines = stack.split('\n').filter((line) => line.startsWith('    at '));
    return lines.slice(0, MOST_STACK_LINES).map((line) => line.trim().slice(0, LONGEST_STACK_LINE));
  } catch {
    return [];
  }
}

/**
 * Reads the header `x-history`. Whoever sent the message may have written anything there: what is no history, or no
 * attempt, is left out. Never throws.
 */
export function decodeHistory(header: unknown): History {
  if (typeof header !== 'string' || Buffer.byteLength(header) > MOST_BYTES) return { attempts: [], omitted: 0 };
  let value: unknown;
  try {
    value = JSON.parse(header);
  } catch {
    return { attempts: [], omitted: 0 };
  }
  const { attempts, omitted } = Object(value) as Record<string, unknown>;
  return {
    attempts: (Array.isArray(attempts) ? attempts : []).flatMap(readAttempt),
    omitted: isCount(omitted) ? omitted : 0,
  };
}

/**
 * The history as JSON of at most so many bytes. Of the attempts in the middle first the stacks give way, then they themselves,
 * the oldest first, and are counted; the first and the last stay, without their stacks and texts if need be.
 */
export function encodeHistory({ attempts, omitted }: History, mostBytes = MOST_BYTES): string {
  const kept = attempts.flatMap(readAttempt);
  const sizes = kept.map(sizeOf);
  let bytes = ENVELOPE_BYTES + sizes.reduce((sum, size) => sum + size, 0);
  const shorten = (index: number, cut: (attempt: FailedAttempt) => void) => {
    const attempt = kept[index];
    if (!attempt || bytes <= mostBytes) return;
    cut(attempt);
    bytes += sizeOf(attempt) - (sizes[index] ?? 0);
    sizes[index] = sizeOf(attempt);
  };
  for (let index = 1; index < kept.length - 1; index++) shorten(index, cutStack);
  let left = 1;
  for (; left < kept.length - 1 && bytes > mostBytes; left++) bytes -= sizes[left] ?? 0;
  const ends = [0, kept.length - 1];
  for (const cut of [cutStack, cutMessage, cutMessage, cutRest]) for (const index of ends) shorten(index, cut);
  kept.splice(1, left - 1);
  return JSON.stringify({ attempts: kept, omitted: omitted + attempts.length - kept.length });
}

/** With the comma behind it. */
function sizeOf(attempt: FailedAttempt): number {
  return Buffer.byteLength(JSON.stringify(attempt)) + 1;
}

function cutStack(attempt: FailedAttempt): void {
  delete attempt.stack;
}

function cutMessage(attempt: FailedAttempt): void {
  attempt.message = attempt.message.slice(0, attempt.message.length > SHORT_MESSAGE ? SHORT_MESSAGE : 0);
}

/** What is left has at most 450 bytes, whatever is in it. */
function cutRest(attempt: FailedAttempt): void {
  delete attempt.worker;
  attempt.code = attempt.code.slice(0, SHORT_CODE);
}

/** The header of a task whose next attempt has failed. */
export function appendAttempt(header: unknown, attempt: FailedAttempt): string {
  const { attempts, omitted } = decodeHistory(header);
  return encodeHistory({ attempts: [...attempts, attempt], omitted });
}

function readAttempt(value: unknown): FailedAttempt[] {
  const given = Object(value) as Record<string, unknown>;
  const { attempt, replay, startedAtMs, durationMs, worker, code, message, stack } = given;
  if (!isCount(attempt) || typeof code !== 'string') return [];
  const read: FailedAttempt = { attempt, code: code.slice(0, LONGEST_CODE), message: textOf(message, LONGEST_MESSAGE) };
  if (isCount(replay) && replay > 0) read.replay = replay;
  if (isCount(startedAtMs)) read.startedAtMs = startedAtMs;
  if (isCount(durationMs)) read.durationMs = durationMs;
  if (typeof worker === 'string') read.worker = textOf(worker, LONGEST_WORKER);
  if (Array.isArray(stack) && stack.length > 0) {
    read.stack = stack.slice(0, MOST_STACK_LINES).map((line) => textOf(line, LONGEST_STACK_LINE));
  }
  return [read];
}

function textOf(value: unknown, longest: number): string {
  return typeof value === 'string' ? value.slice(0, longest) : '';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
