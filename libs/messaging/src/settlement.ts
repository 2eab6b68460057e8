import { hostname } from 'node:os';
import type { ConfirmChannel, Message, Options } from 'amqplib';
import type { Clock } from './clock';
import { isShortString, isTimestamp, isTraceparent, type Identity } from './codec';
import { deadLetterHeaders, replaysOf } from './dead-letter';
import { BrokerError, MercuryError, PublishError } from './errors';
import type { Delivery } from './deliveries';
import type { PublishProperties } from './frames';
import { appendAttempt, decodeHistory, encodeHistory, type History } from './history';
import type { Failure, Outcome } from './outcome';
import type { Outgoing } from './outgoing';
import type { Publisher } from './publisher';
import { backoffMs, delay } from './retry-policy';
import { HEADER } from './task';
import { EXCHANGE, retryQueueOf, suspectQueueOf, waitingQueueOf } from './topology';

const RETRY_CAP_MS = 5_000;
const HELD_AFTER_MS = 5_000;
const WORKER = `${hostname()}:${process.pid}`;
const NO_RUN: Run = { durationMs: 0, stack: [] };

const stillWaiting = new BrokerError('BROKER_BLOCKED', 'The broker has not confirmed it yet.');

/** What an attempt leaves for the task's history, beside its outcome. */
export interface Run {
  durationMs: number;
  stack: string[];
}

/**
 * Tells the broker how a delivery ended; the only place that acks or rejects. Retry and dead are a confirmed publish
 * elsewhere and then the ack, in this order: a crash in between duplicates the task, the other order would lose it.
 */
export class Settlement {
  /** Deliveries that could not be stored elsewhere yet, each with why. They are held, unacked, until they can be. */
  private readonly held = new Map<Delivery, MercuryError>();

  constructor(
    private readonly publisher: Publisher,
    private readonly queueName: string,
    private readonly clock: Clock,
    private readonly onProblem: (problem: MercuryError) => void,
  ) {}

  /** Why finished or due tasks are held; undefined when none are. */
  get problem(): MercuryError | undefined {
    const [why] = this.held.values();
    if (!why) return undefined;
    const message = `${this.held.size} tasks wait to be stored as retry or dead letter, or as due: ${why.message}`;
    return new BrokerError('BROKER_BLOCKED', message, { cause: why });
  }

  /** Resolves to whether the broker was told; false when the channel was lost first, and the task comes again. */
  async settle(delivery: Delivery, identity: Identity, outcome: Outcome, run: Run = NO_RUN): Promise<boolean> {
    switch (outcome.kind) {
      case 'success':
        return ack(delivery);
      case 'released':
        return giveBack(delivery);
      case 'retry': {
        const queue = retryQueueOf(this.queueName, outcome.levelMs);
        return this.move(delivery, this.retryOf(delivery.message, identity, queue, outcome.failure, run));
      }
      case 'dead':
        return this.move(delivery, this.deadLetterOf(delivery.message, identity, outcome.failure, run));
    }
  }

  /** Moves a suspect out of the way of the others. Resolves to whether it is there. */
  setAside(delivery: Delivery, identity: Identity): Promise<boolean> {
    const headers = { ...ownHeaders(identity), [HEADER.attempt]: identity.attempt };
    return this.move(delivery, forward(delivery.message, identity, '', suspectQueueOf(this.queueName), headers));
  }

  /**
   * Sends a delayed task on: to where it waits until `notBeforeMs`, or without one to the work queue, as a task like any
   * other. Resolves to whether it is there.
   */
  sendOn(delivery: Delivery, identity: Identity, notBeforeMs: number | undefined): Promise<boolean> {
    const { message } = delivery;
    const headers = { ...ownHeaders(identity), [HEADER.attempt]: identity.attempt };
    if (notBeforeMs === undefined) {
      return this.move(delivery, forward(message, identity, EXCHANGE.tasks, this.queueName, headers));
    }
    // Asked again at each try: the level that fitted before an outage may be too long after it.
    const waitingQueue = () => waitingQueueOf(this.queueName, notBeforeMs - this.clock.nowMs());
    const waiting = { ...headers, [HEADER.notBeforeMs]: notBeforeMs };
    return this.move(delivery, forward(message, identity, '', waitingQueue, waiting));
  }

  private async move(delivery: Delivery, elsewhere: Outgoing): Promise<boolean> {
    if (!(await this.publishUntilConfirmed(delivery, elsewhere))) return false;
    return ack(delivery);
  }

  /** Not confirmed: never ack. The delivery keeps its slot, and is tried again until it is safe or the channel is lost. */
  private async publishUntilConfirmed(delivery: Delivery, message: Outgoing): Promise<boolean> {
    const { lost } = delivery;
    const slow = setTimeout(() => this.hold(delivery, stillWaiting), HELD_AFTER_MS);
    try {
      for (let failures = 1; !lost.aborted; failures++) {
        try {
          await orLost(this.publisher.publish(message), lost);
          return !lost.aborted;
        } catch (error) {
          this.hold(delivery, error instanceof MercuryError ? error : stillWaiting);
          // The queue that should take it was deleted: the next try is after declaring it again.
          if (error instanceof PublishError && error.outcome === 'returned') this.publisher.renew();
          await delay(backoffMs(failures, RETRY_CAP_MS), lost);
        }
      }
      return false;
    } finally {
      clearTimeout(slow);
      this.held.delete(delivery);
    }
  }

  private hold(delivery: Delivery, why: MercuryError): void {
    const isFirst = this.held.size === 0;
    this.held.set(delivery, why);
    if (isFirst && this.problem) this.onProblem(this.problem);
  }

  private retryOf(message: Message, identity: Identity, retryQueue: string, failure: Failure, run: Run): Outgoing {
    const nowMs = this.clock.nowMs();
    const headers = {
      ...ownHeaders(identity),
      [HEADER.attempt]: identity.attempt + 1,
      [HEADER.firstFailedAtMs]: firstFailureMs(identity, nowMs),
      [HEADER.lastFailedAtMs]: nowMs,
      [HEADER.history]: historyWith(identity, failure, run, nowMs),
    };
    return forward(message, identity, '', retryQueue, headers);
  }

  private deadLetterOf(message: Message, identity: Identity, failure: Failure, run: Run): Outgoing {
    const nowMs = this.clock.nowMs();
    const firstFailedAtMs = firstFailureMs(identity, nowMs);
    const headers = {
      ...ownHeaders(identity),
      ...deadLetterHeaders(failure, identity.attempt, this.queueName, firstFailedAtMs, nowMs),
      [HEADER.history]: historyWith(identity, failure, run, nowMs),
    };
    return forward(message, identity, EXCHANGE.dead, this.queueName, headers);
  }
}

/**
 * A dead letter as a task again, for the queue that it came from: the same id and bytes, attempt 1, and the history of
 * how it died. Not patient: somebody waits for the answer.
 */
export function replayOf(
  message: Message,
  identity: Identity,
  originQueue: string,
  history: History,
  nowMs: number,
): Outgoing {
  const headers = {
    ...ownHeaders(identity),
    [HEADER.attempt]: 1,
    [HEADER.history]: encodeHistory(history),
    [HEADER.replays]: replaysOf(identity) + 1,
    [HEADER.replayedAtMs]: nowMs,
  };
  return { ...forward(message, identity, EXCHANGE.tasks, originQueue, headers), patient: false };
}

function historyWith(identity: Identity, failure: Failure, { durationMs, stack }: Run, nowMs: number): string {
  return appendAttempt(identity.headers[HEADER.history], {
    attempt: identity.attempt,
    replay: replaysOf(identity),
    startedAtMs: Math.round(nowMs - durationMs),
    durationMs: Math.round(durationMs),
    worker: WORKER,
    ...failure,
    stack,
  });
}

/**
 * The same bytes and the same identity, elsewhere. A foreign task's type stays in its body, where it came from. What
 * arrived may not fit back into AMQP (a bad byte becomes a character of three), and then it is left out: a message that
 * cannot be written could never be settled.
 */
function forward(
  message: Message,
  identity: Identity,
  exchange: string,
  routingKey: Outgoing['routingKey'],
  headers: Record<string, string | number>,
): Outgoing {
  const { contentType, contentEncoding, timestamp, appId, type } = message.properties as Options.Publish;
  const properties: PublishProperties = { messageId: identity.id, deliveryMode: 2, mandatory: true, headers };
  if (isShortString(type)) properties.type = type;
  if (isShortString(contentType)) properties.contentType = contentType;
  if (isShortString(contentEncoding)) properties.contentEncoding = contentEncoding;
  if (isTimestamp(timestamp)) properties.timestamp = timestamp;
  if (isShortString(appId)) properties.appId = appId;
  return { exchange, routingKey, content: message.content, properties, patient: true };
}

/**
 * Ours only. The broker's `x-death*` and `x-delivery-count` must not travel on: brokers up to 3.13 may take a queue
 * that is listed there for a cycle and drop the task.
 */
function ownHeaders(identity: Identity): Record<string, string | number> {
  const headers: Record<string, string | number> = { [HEADER.enqueuedAtMs]: identity.enqueuedAtMs };
  const traceparent = identity.headers[HEADER.traceparent];
  if (isTraceparent(traceparent)) headers[HEADER.traceparent] = traceparent;
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

function firstFailureMs(identity: Identity, nowMs: number): number {
  const earlier = identity.headers[HEADER.firstFailedAtMs];
  return isTimestamp(earlier) ? earlier : nowMs;
}

/** Resolves also when the delivery is lost: then nobody needs the confirm any more. */
async function orLost(publish: Promise<void>, lost: AbortSignal): Promise<void> {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  lost.addEventListener('abort', end);
  try {
    await Promise.race([publish, ended]);
  } finally {
    lost.removeEventListener('abort', end);
  }
}

/** A closed channel throws here; its deliveries are already back in the queue, so there is nothing to save. */
export function ack({ channel, message, lost }: Delivery): boolean {
  if (lost.aborted) return false;
  try {
    channel.ack(message);
    return true;
  } catch {
    return false;
  }
}

/** nack with requeue keeps the attempt number, and on RabbitMQ 4.3 does not count toward the delivery limit. */
function giveBack({ channel, message, lost }: Delivery): boolean {
  if (lost.aborted) return false;
  try {
    channel.nack(message, false, true);
    return true;
  } catch {
    return false;
  }
}

/** Gives back whatever the channel still holds. */
export function giveBackAll(channel: ConfirmChannel): void {
  try {
    channel.nackAll(true);
  } catch {
    // Closed: then everything is back already.
  }
}
