import { createHash } from 'node:crypto';
import { LONGEST_CODE, LONGEST_MESSAGE } from '../errors';
import { HEADER } from '../headers';
import { decodeJsonObject, replaysOf, type Identity } from '../tasks/codec';
import { isShortString, isTaskId, isTimestamp, isTraceparent } from '../tasks/field-checks';
import { decodeHistory, type FailedAttempt, type History } from '../tasks/history';
import type { Failure } from '../tasks/outcome';
import { tagsOf } from '../tasks/task-headers';

/** A dead letter in a list. */
export interface DeadLetterSummary {
  /** The task's id. Several letters may have the same; one that came without an id gets one made of its content. */
  id: string;
  /** Empty when neither a property nor the body names one. */
  type: string;
  code: string;
  message: string;
  /** The number of the attempt that was the last. */
  attempt: number;
  /** How often it was replayed already. */
  replays: number;
  originQueue: string;
  /** Missing when nothing tells it. */
  deadAtMs?: number;
  bodyBytes: number;
}

/** A dead letter with all that it tells. */
export interface DeadLetter extends DeadLetterSummary {
  enqueuedAtMs?: number;
  replayedAtMs?: number;
  traceparent?: string;
  /** The words that its caller has put to it; missing when there are none. */
  tags?: readonly string[];
  /** The attempts that failed, replays included; what the broker did counts as one. */
  attempts: FailedAttempt[];
  /** How many attempts between the first and the second of the list are not kept. */
  omittedAttempts: number;
  /** When it is a JSON object. */
  body?: object;
  /** When it is not. */
  bodyBase64?: string;
}

/**
 * The identity of a dead letter, the same at each reading. Bare tasks of other programs that the broker itself
 * dead-lettered have no id: theirs is made of their content.
 */
export function identityOfLetter(identity: Identity, messageId: unknown, content: Buffer): Identity {
  if (isTaskId(messageId)) return identity;
  return { ...identity, id: `nameless-${createHash('sha256').update(content).digest('hex').slice(0, 32)}` };
}

/** @param deadQueueOwner the work queue whose dead letter it is, for letters that do not say where they come from. */
export function summaryOf(identity: Identity, content: Buffer, deadQueueOwner: string): DeadLetterSummary {
  const { id, attempt, headers } = identity;
  const originQueue = headers[HEADER.originQueue];
  const deadAtMs = deadAtMsOf(headers);
  return {
    id,
    type: identity.type || typeInBody(content),
    ...failureOf(headers),
    attempt,
    replays: replaysOf(identity),
    originQueue: isShortString(originQueue) && originQueue !== '' ? originQueue : deadQueueOwner,
    ...(deadAtMs === undefined ? {} : { deadAtMs }),
    bodyBytes: content.length,
  };
}

export function deadLetterOf(identity: Identity, content: Buffer, deadQueueOwner: string): DeadLetter {
  const { attempts, omitted } = historyOf(identity);
  const { [HEADER.enqueuedAtMs]: enqueuedAtMs, [HEADER.replayedAtMs]: replayedAtMs } = identity.headers;
  const traceparent = identity.headers[HEADER.traceparent];
  const tags = tagsOf(identity.headers);
  return {
    ...summaryOf(identity, content, deadQueueOwner),
    ...(isTimestamp(enqueuedAtMs) ? { enqueuedAtMs } : {}),
    ...(isTimestamp(replayedAtMs) ? { replayedAtMs } : {}),
    ...(isTraceparent(traceparent) ? { traceparent } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    attempts,
    omittedAttempts: omitted,
    ...bodyOf(content),
  };
}

/** The history that the letter brings; how it died is in it also when the broker, or an older version, did not write one. */
export function historyOf(identity: Identity): History {
  const { headers } = identity;
  const history = decodeHistory(headers[HEADER.history]);
  const isOurs = typeof headers[HEADER.errorCode] === 'string';
  if (isOurs && history.attempts.length > 0) return history;
  const last: FailedAttempt = { attempt: identity.attempt, ...failureOf(headers) };
  const replays = replaysOf(identity);
  if (replays > 0) last.replay = replays;
  const deadAtMs = deadAtMsOf(headers);
  if (deadAtMs !== undefined) last.startedAtMs = deadAtMs;
  return { attempts: [...history.attempts, last], omitted: history.omitted };
}

/**
 * The headers of a letter for its replay. An event that the broker itself buried has its key only where the broker says by which
 * exchange it had come.
 */
export function headersForReplay(headers: Identity['headers'], originQueue: string): Identity['headers'] {
  const deaths: unknown[] = Array.isArray(headers['x-death']) ? headers['x-death'] : [];
  for (const death of headers[HEADER.eventKey] === undefined ? deaths : []) {
    const { queue, exchange, 'routing-keys': keys } = Object(death) as Record<string, unknown>;
    const isOfBus = typeof exchange === 'string' && exchange !== '' && !exchange.startsWith('mercury.');
    const key: unknown = Array.isArray(keys) ? keys[0] : undefined;
    if (queue === originQueue && isOfBus && isShortString(key)) return { ...headers, [HEADER.eventKey]: key };
  }
  return headers;
}

function failureOf(headers: Identity['headers']): Failure {
  const { [HEADER.errorCode]: code, [HEADER.errorMessage]: message } = headers;
  if (typeof code === 'string' && code !== '') {
    const text = typeof message === 'string' ? message : '';
    return { code: code.slice(0, LONGEST_CODE), message: text.slice(0, LONGEST_MESSAGE) };
  }
  const { reason, queue } = brokersDeath(headers);
  if (reason === undefined) return { code: 'UNKNOWN', message: 'It does not say why it is dead.' };
  const text = reason === 'delivery_limit' ? 'it was delivered too often without an end' : `its reason is "${reason}"`;
  const sentence = `The broker dead-lettered it in queue "${queue}": ${text}.`;
  return { code: reason.toUpperCase().replace(/[^A-Z\d]/g, '_'), message: sentence };
}

function deadAtMsOf(headers: Identity['headers']): number | undefined {
  const atMs = headers[HEADER.deadAtMs];
  if (isTimestamp(atMs)) return atMs;
  const { atS } = brokersDeath(headers);
  return isTimestamp(atS) && isTimestamp(atS * 1000) ? atS * 1000 : undefined;
}

/** The latest entry of `x-death`, which the broker writes when it dead-letters by itself (RabbitMQ docs, dlx). */
function brokersDeath(headers: Identity['headers']): { reason?: string; queue: string; atS?: unknown } {
  const deaths = headers['x-death'];
  const latest = Object(Array.isArray(deaths) ? deaths[0] : undefined) as Record<string, unknown>;
  const time = Object(latest['time']) as Record<string, unknown>;
  const reason = latest['reason'];
  return {
    ...(typeof reason === 'string' && reason !== '' ? { reason: reason.slice(0, 100) } : {}),
    queue: typeof latest['queue'] === 'string' ? latest['queue'] : '',
    // amqplib's form of a timestamp.
    atS: time['!'] === 'timestamp' ? time['value'] : undefined,
  };
}

function typeInBody(content: Buffer): string {
  const { body } = bodyOf(content);
  const type = body && 'type' in body ? body.type : undefined;
  return typeof type === 'string' ? type : '';
}

function bodyOf(content: Buffer): Pick<DeadLetter, 'body' | 'bodyBase64'> {
  try {
    return { body: decodeJsonObject(content) };
  } catch {
    return { bodyBase64: content.toString('base64') };
  }
}
