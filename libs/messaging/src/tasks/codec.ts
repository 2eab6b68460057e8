import type { Message, MessageProperties } from 'amqplib';
import type { PublishProperties } from '../broker/frames';
import { DiscardTask, InvalidMessageError } from '../errors';
import { HEADER } from '../headers';
import { uuidv7 } from '../uuid';
import { isCountOf, isShortString, isTaskId, isTimestamp } from './field-checks';
import { jsonLossIn } from './json-loss';
import { headersOf, type PutOptions } from './put-options';
import { MOST_ATTEMPTS } from './retry-policy';
import type { JsonObject } from './task';

export interface EncodedTask {
  id: string;
  content: Buffer;
  properties: PublishProperties;
  /** Undefined for a task that may run at once. */
  notBeforeMs: number | undefined;
}

/** A task as read from a message, before it has a signal to run with. */
export interface DecodedTask {
  id: string;
  type: string;
  body: JsonObject;
  attempt: number;
  enqueuedAtMs: number;
  headers: Record<string, unknown>;
}

/** What is known of a task even if its body could not be decoded. */
export type Identity = Omit<DecodedTask, 'body'>;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Turns a body into the bytes and properties of a task's message. Everything is checked here, before anything is sent.
 * @param nowMs when it is put.
 * @throws InvalidMessageError `TASK_INVALID` (body, id, type, or another option), `BODY_INVALID`, `TASK_TOO_LARGE`.
 */
export function encodeTask(
  body: unknown,
  options: PutOptions,
  maxPayloadBytes: number,
  nowMs = Date.now(),
): EncodedTask {
  if (!isJsonObject(body)) throw new InvalidMessageError('TASK_INVALID', 'A task must be a JSON object.');
  const type = options.type ?? body['type'];
  if (!isTaskType(type)) {
    throw new InvalidMessageError('TASK_INVALID', 'A task needs a type: a string of 1 to 255 bytes.');
  }
  const id = options.id ?? uuidv7();
  if (!isTaskId(id)) {
    throw new InvalidMessageError('TASK_INVALID', 'A task id must be 1 to 255 printable ASCII characters, no spaces.');
  }
  const headers = headersOf(options, nowMs);
  const content = encodeJson(body, 'TASK', maxPayloadBytes);
  return {
    id,
    content,
    properties: {
      messageId: id,
      type,
      contentType: 'application/json',
      deliveryMode: 2,
      mandatory: true,
      timestamp: Math.floor(nowMs / 1000),
      appId: 'mercury',
      headers,
    },
    notBeforeMs: headers[HEADER.notBeforeMs] as number | undefined,
  };
}

/** @throws InvalidMessageError `BODY_INVALID` for what would not arrive as it is, `<what>_INVALID`, `<what>_TOO_LARGE`. */
export function encodeJson(body: object, what: 'TASK' | 'EVENT', maxBytes: number): Buffer {
  let text: string | undefined;
  try {
    text = JSON.stringify(body);
  } catch (cause) {
    throw unwritable(body, cause);
  }
  // A toJSON method may turn an object into anything, also into nothing.
  if (text?.[0] !== '{') throw new InvalidMessageError(`${what}_INVALID`, 'The body must be a JSON object.');
  const content = Buffer.from(text);
  if (content.length > maxBytes) {
    const message = `The body has ${content.length} bytes; the limit is ${maxBytes}. Store it elsewhere and send a reference.`;
    throw new InvalidMessageError(`${what}_TOO_LARGE`, message);
  }
  // Last: so it is bounded by the limit, and refers to nothing twice without an end.
  const lost = lossOf(body);
  if (lost) throw lost;
  return content;
}

function unwritable(body: object, cause: unknown): InvalidMessageError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const message = `The body cannot be written as JSON: ${text.slice(0, 500)}`;
  return lossOf(body) ?? new InvalidMessageError('BODY_INVALID', message, { cause });
}

function lossOf(body: object): InvalidMessageError | undefined {
  try {
    const loss = jsonLossIn(body);
    if (!loss) return undefined;
    const { pointer, what } = loss;
    const message = `The body has ${what} at "${pointer}", which would not arrive as it is: JSON has objects, lists, strings, finite numbers, booleans and null.`;
    return new InvalidMessageError('BODY_INVALID', message, { pointer });
  } catch (cause) {
    return new InvalidMessageError('BODY_INVALID', 'The body cannot be read, or is nested too deep.', { cause });
  }
}

/**
 * The identity of a delivery, readable whatever its body is: so that a body that cannot be decoded still becomes a
 * dead letter that can be found. A foreign task brings no id; it gets one on arrival and keeps it from then on.
 */
export function identify(message: Message): Identity {
  // amqplib's types say `any`: whoever sent the message decided.
  const properties: { readonly [Name in keyof MessageProperties]: unknown } = message.properties;
  const { messageId, type, headers, timestamp } = properties;
  const own = (headers ?? {}) as Record<string, unknown>;
  const attempt = own[HEADER.attempt];
  const enqueuedAtMs = own[HEADER.enqueuedAtMs];
  return {
    id: isTaskId(messageId) ? messageId : uuidv7(),
    type: typeof type === 'string' ? type : '',
    attempt: isCountOf(attempt, MOST_ATTEMPTS) && attempt >= 1 ? attempt : 1,
    enqueuedAtMs: isTimestamp(enqueuedAtMs) ? enqueuedAtMs : (sentAtMs(timestamp) ?? Date.now()),
    headers: own,
  };
}

/** By the property of a foreign program, which counts in seconds. */
function sentAtMs(timestamp: unknown): number | undefined {
  const atMs = Number(timestamp) * 1000;
  return isTimestamp(atMs) ? atMs : undefined;
}

/**
 * Reads a task's message, ours or that of a foreign program (a bare JSON body: its type is `body.type`).
 * @throws DiscardTask `INVALID_JSON`, `NOT_AN_OBJECT`, `NO_TYPE`: another attempt would read the same bytes.
 */
export function decodeTask(message: Message): DecodedTask {
  const { id, type: ownType, attempt, enqueuedAtMs, headers } = identify(message);
  const body = decodeJsonObject(message.content);
  const type = ownType === '' ? body['type'] : ownType;
  if (!isTaskType(type)) {
    throw new DiscardTask('The message has no type, neither as a property nor as a string in its body.', {
      code: 'NO_TYPE',
    });
  }
  return { id, type, body, attempt, enqueuedAtMs, headers };
}

/** @throws DiscardTask `INVALID_JSON`, `NOT_AN_OBJECT`. */
export function decodeJsonObject(content: Buffer): JsonObject {
  let body: unknown;
  try {
    body = JSON.parse(UTF8.decode(content));
  } catch (cause) {
    throw new DiscardTask('The body is not JSON in UTF-8.', { code: 'INVALID_JSON', cause });
  }
  if (!isJsonObject(body)) throw new DiscardTask('The body is JSON, but not an object.', { code: 'NOT_AN_OBJECT' });
  return body;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isTaskType(type: unknown): type is string {
  return isShortString(type) && type !== '';
}

/** How often a task was taken out of a dead queue to be executed again. */
export function replaysOf({ headers }: Pick<Identity, 'headers'>): number {
  const replays = headers[HEADER.replays];
  return isCountOf(replays, MOST_ATTEMPTS) ? replays : 0;
}
