import type { Message, Options } from 'amqplib';
import type { PublishProperties } from '../broker/frames';
import type { Outgoing } from '../broker/outgoing';
import { HEADER } from '../headers';
import { MOST_CALLER_HEADER_BYTES, callerHeadersOf } from './caller-headers';
import { type Identity, replaysOf } from './codec';
import { isCountOf, isShortString, isTimestamp, isTraceparent } from './field-checks';
import { fitStored } from './frame-fit';
import { decodeHistory, encodeHistory } from './history';
import type { Failure } from './outcome';
import { carriedHeaders } from './task-headers';

/** The protocol's is an octet. */
const HIGHEST_PRIORITY = 255;
const LONGEST_BARE_TEXT = 200;
const BARE: ReadonlySet<string> = new Set([
  HEADER.attempt,
  HEADER.execution,
  HEADER.postponed,
  HEADER.postponedMs,
  HEADER.expiresAtMs,
  HEADER.maxAttempts,
  HEADER.timeoutMs,
  HEADER.enqueuedAtMs,
  HEADER.notBeforeMs,
  HEADER.replays,
  HEADER.errorCode,
  HEADER.errorMessage,
  HEADER.originQueue,
  HEADER.eventKey,
]);

export type Headers = Record<string, unknown>;

/**
 * The same bytes and the same identity, elsewhere. A foreign task's type stays in its body, where it came from. What
 * arrived may not fit back into AMQP (a bad byte becomes a character of three), and then it is left out: a message that
 * cannot be written could never be settled.
 */
export function forward(
  message: Message,
  identity: Identity,
  exchange: string,
  routingKey: Outgoing['routingKey'],
  headers: Headers,
): Outgoing {
  const { contentType, contentEncoding, correlationId, replyTo, timestamp, appId, type } =
    message.properties as Options.Publish;
  const properties: PublishProperties = { messageId: identity.id, deliveryMode: 2, mandatory: true, headers };
  const priority = priorityOf(message);
  if (priority !== undefined) properties.priority = priority;
  if (isShortString(type)) properties.type = type;
  if (isShortString(contentType)) properties.contentType = contentType;
  if (isShortString(contentEncoding)) properties.contentEncoding = contentEncoding;
  if (isShortString(correlationId)) properties.correlationId = correlationId;
  if (isShortString(replyTo)) properties.replyTo = replyTo;
  if (isTimestamp(timestamp)) properties.timestamp = timestamp;
  if (isShortString(appId)) properties.appId = appId;
  return { exchange, routingKey, content: message.content, properties, patient: true, fit: fitStored };
}

/** RabbitMQ 4.0 lets messages of different priorities hold up each other's time to live: there it is told in a header instead. */
export function inLevel(message: Outgoing): Outgoing {
  const { priority, ...properties } = message.properties;
  if (priority === undefined) return message;
  return { ...message, properties: { ...properties, headers: { ...properties.headers, [HEADER.priority]: priority } } };
}

/** Undefined for 0, too, which is what a message without one has. */
export function priorityOf({ properties }: Message): number | undefined {
  const { priority, headers } = properties as { priority?: unknown; headers?: Readonly<Record<string, unknown>> };
  const known = [priority, headers?.[HEADER.priority]].find((each) => isCountOf(each, HIGHEST_PRIORITY));
  return known === undefined || known === 0 ? undefined : Number(known);
}

/** As little as a task can have: id, type, attempt, where it came from and why. All of it is short, and of a type that can be written. */
export function bare(message: Outgoing): Outgoing {
  const headers = Object.entries((message.properties.headers ?? {}) as Headers).flatMap(([name, value]) => {
    if (!BARE.has(name)) return [];
    return [[name, typeof value === 'string' ? value.slice(0, LONGEST_BARE_TEXT) : value] as const];
  });
  const { messageId, type } = message.properties;
  const properties: PublishProperties = { messageId, deliveryMode: 2, mandatory: true };
  if (type !== undefined) properties.type = type;
  return { ...message, properties: { ...properties, headers: Object.fromEntries(headers) } };
}

/**
 * What travels with the task: ours, and those of its caller. The broker's `x-death*` and `x-delivery-count` must not: brokers up to
 * 3.13 may take a queue that is listed there for a cycle and drop the task.
 */
export function keptHeaders(identity: Identity): Headers {
  const headers: Headers = callerHeadersOf(identity.headers, MOST_CALLER_HEADER_BYTES);
  Object.assign(headers, carriedHeaders(identity.headers));
  headers[HEADER.enqueuedAtMs] = identity.enqueuedAtMs;
  const traceparent = identity.headers[HEADER.traceparent];
  if (isTraceparent(traceparent)) headers[HEADER.traceparent] = traceparent;
  const eventKey = identity.headers[HEADER.eventKey];
  if (isShortString(eventKey)) headers[HEADER.eventKey] = eventKey;
  for (const name of [HEADER.firstFailedAtMs, HEADER.lastFailedAtMs, HEADER.replayedAtMs]) {
    const atMs = identity.headers[name];
    if (isTimestamp(atMs)) headers[name] = atMs;
  }
  const replays = replaysOf(identity);
  if (replays > 0) headers[HEADER.replays] = replays;
  const history = decodeHistory(identity.headers[HEADER.history]);
  if (history.attempts.length > 0) headers[HEADER.history] = encodeHistory(history);
  return headers;
}

/** What a dead letter says about itself, beside the task's own headers. */
export function deadLetterHeaders(
  failure: Failure,
  attempt: number,
  originQueue: string,
  firstFailedAtMs: number,
  nowMs: number,
): Record<string, string | number> {
  return {
    [HEADER.attempt]: attempt,
    [HEADER.errorCode]: failure.code,
    [HEADER.errorMessage]: failure.message,
    [HEADER.originQueue]: originQueue,
    [HEADER.firstFailedAtMs]: firstFailedAtMs,
    [HEADER.lastFailedAtMs]: nowMs,
    [HEADER.deadAtMs]: nowMs,
  };
}
