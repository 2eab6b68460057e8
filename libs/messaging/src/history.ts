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

/** The history as JSON of at most 16 KiB: attempts in the middle give way, and are counted. */
export function encodeHistory({ attempts, omitted }: History): string {
  const kept = attempts.flatMap(readAttempt);
  const encode = () => JSON.stringify({ attempts: kept, omitted: omitted + attempts.length - kept.length });
  while (kept.length > 2 && Buffer.byteLength(encode()) > MOST_BYTES) kept.splice(1, 1);
  // Two attempts whose texts are all escapes can still be too long; without their stacks they never are.
  if (Buffer.byteLength(encode()) > MOST_BYTES) for (const attempt of kept) delete attempt.stack;
  return encode();
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
