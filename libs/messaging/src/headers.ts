/** The headers of Mercury's messages: all that it writes, and all that it reads. */
export const HEADER = {
  attempt: 'x-attempt',
  /** 1 for the first execution of a task; each retry, postponement and replay is one more. Without it: the attempt. */
  execution: 'x-execution',
  /** How often a task was postponed, and for how long in all. */
  postponed: 'x-postponed',
  postponedMs: 'x-postponed-ms',
  enqueuedAtMs: 'x-enqueued-at-ms',
  traceparent: 'traceparent',
  /** Of a delayed task that still waits. When its time has come it is a task like any other, without this. */
  notBeforeMs: 'x-not-before-ms',
  /** What its caller wants for one task. */
  tags: 'x-tags',
  expiresAtMs: 'x-expires-at-ms',
  maxAttempts: 'x-max-attempts',
  timeoutMs: 'x-timeout-ms',
  firstFailedAtMs: 'x-first-failed-at-ms',
  lastFailedAtMs: 'x-last-failed-at-ms',
  deadAtMs: 'x-dead-at-ms',
  errorCode: 'x-error-code',
  errorMessage: 'x-error-message',
  originQueue: 'x-origin-queue',
  /** The key of an event in a durable subscription, where the routing key is the queue's after a retry. */
  eventKey: 'x-event-key',
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
