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
