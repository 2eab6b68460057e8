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
  readonly queue: string;
  /** When the sender put it; of a foreign task without this header, when it arrived here. */
  readonly enqueuedAtMs: number;
  /** Those of whoever put it, which are there at each attempt; and ours and the broker's. */
  readonly headers: Readonly<Record<string, unknown>>;
  /**
   * Aborts when the handler's time is up, or when the delivery is lost and somebody else will execute the task. Made when it
   * is first read: a copy by `{ ...task }` has none.
   */
  readonly signal: AbortSignal;
}

/** The headers of Mercury's messages: all that it writes, and all that it reads. */
export const HEADER = {
  attempt: 'x-attempt',
  enqueuedAtMs: 'x-enqueued-at-ms',
  traceparent: 'traceparent',
  /** Of a delayed task that still waits. When its time has come it is a task like any other, without this. */
  notBeforeMs: 'x-not-before-ms',
  firstFailedAtMs: 'x-first-failed-at-ms',
  lastFailedAtMs: 'x-last-failed-at-ms',
  deadAtMs: 'x-dead-at-ms',
  errorCode: 'x-error-code',
  errorMessage: 'x-error-message',
  originQueue: 'x-origin-queue',
  publisher: 'x-publisher',
  sequence: 'x-sequence',
  history: 'x-history',
  replays: 'x-replays',
  replayedAtMs: 'x-replayed-at-ms',
  /** The property of a task that waits in a level: there it would hold up others. */
  priority: 'x-priority',
  /** How many headers of a caller did not travel on: there is room for 8 KiB of them. */
  omittedHeaders: 'x-omitted-headers',
} as const;

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
