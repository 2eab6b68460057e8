import type { LogLevel } from './task-log';

/** Any JSON object. */
export type JsonObject = Record<string, unknown>;

/** What a handler gets. */
export interface Task<Body = JsonObject> {
  /** UUIDv7, or the id that the sender chose. The same for every attempt, so it identifies the work. */
  readonly id: string;
  readonly type: string;
  /** The JSON object exactly as it was put. */
  readonly body: Body;
  /** 1 for the first attempt, then 2, 3 … */
  readonly attempt: number;
  /** Attempts in all, the first included. As `signal`, `tags` and `isLastAttempt` it is not in a copy by `{ ...task }`. */
  readonly maxAttempts: number;
  /** Whether the task is dead if this attempt fails: the time to undo what was begun, or to tell somebody. */
  readonly isLastAttempt: boolean;
  readonly queue: string;
  /** What it was put with to be found by; none if it was not. */
  readonly tags: readonly string[];
  /** When the sender put it; of a foreign task without this header, when it arrived here. */
  readonly enqueuedAtMs: number;
  /** Those of whoever put it, which are there at each attempt; and ours and the broker's. */
  readonly headers: Readonly<Record<string, unknown>>;
  /**
   * Aborts when the handler's time is up, or when the delivery is lost and somebody else will execute the task. Made when it
   * is first read.
   */
  readonly signal: AbortSignal;
  /**
   * Says something about this execution, for people: the last 50 lines are kept, each of at most 500 characters, and told when it has
   * ended (`settled`).
   */
  log(level: LogLevel, message: string): void;
}

/**
 * What a handler is given as its payload: the body, without the `type` field that only repeats the task's type.
 * A bare `{"type":"sleep","ms":5}` from another program and a task put with type `sleep` and body `{"ms":5}` so
 * reach the same handler alike.
 */
export function payloadOf(task: { type: string; body: JsonObject }): JsonObject {
  if (task.body['type'] !== task.type) return task.body;
  const { type: _repeated, ...payload } = task.body;
  return payload;
}
