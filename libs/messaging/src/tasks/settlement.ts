import type { ConfirmChannel, Message } from 'amqplib';
import { delayLevelMs } from '../broker/delay';
import type { Delivery } from '../broker/deliveries';
import type { Outgoing } from '../broker/outgoing';
import type { Publisher } from '../broker/publisher';
import { EXCHANGE, retryQueueOf, suspectQueueOf, waitingQueueOf } from '../broker/topology';
import type { Clock } from '../clock';
import { BrokerError, MercuryError, PublishError } from '../errors';
import { HEADER } from '../headers';
import { THIS_PROCESS } from '../this-process';
import { backoffMs, delay } from '../timing';
import { type Identity, replaysOf } from './codec';
import { isTimestamp } from './field-checks';
import { deadLetterHeaders, bare, forward, inLevel, keptHeaders, priorityOf, type Headers } from './forwarding';
import { appendAttempt, encodeHistory, type History } from './history';
import type { Failure, Outcome } from './outcome';
import { executionOf, postponementsOf } from './task-headers';
import type { LogLine } from './task-log';

const RETRY_CAP_MS = 5_000;
const HELD_AFTER_MS = 5_000;
const NO_RUN: Run = { durationMs: 0, stack: [] };
/** What would end the replayed task as it ended the dead one. */
const ENDED_BY_REPLAY = [HEADER.postponed, HEADER.postponedMs, HEADER.expiresAtMs];
const stillWaiting = new BrokerError('BROKER_BLOCKED', 'The broker has not confirmed it yet.');

/** What an execution leaves to be told, beside its outcome. */
export interface Run {
  durationMs: number;
  stack: string[];
  log?: readonly LogLine[] | undefined;
}

/**
 * Tells the broker how a delivery ended; the only place that acks or rejects. Retry, postponed and dead are a confirmed
 * publish elsewhere and then the ack, in this order: a crash in between duplicates the task, the other order would lose it.
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
    const message = `${this.held.size} tasks wait to be stored as retry, postponed or dead letter, or as due: ${why.message}`;
    return new BrokerError('BROKER_BLOCKED', message, { cause: why });
  }

  /** Resolves to whether the broker was told; false when the channel was lost first, and the task comes again. */
  async settle(delivery: Delivery, identity: Identity, outcome: Outcome, run: Run = NO_RUN): Promise<boolean> {
    switch (outcome.kind) {
      case 'success':
        return ack(delivery);
      case 'released':
        return giveBack(delivery);
      case 'retry':
        return this.move(delivery, this.retryOf(delivery.message, identity, outcome.levelMs, outcome.failure, run));
      case 'postponed':
        return this.move(delivery, this.postponedOf(delivery.message, identity, outcome.delayMs));
      case 'dead':
        return this.move(delivery, this.deadLetterOf(delivery.message, identity, outcome.failure, run));
    }
  }

  /** Moves a suspect out of the way of the others. Resolves to whether it is there. */
  setAside(delivery: Delivery, identity: Identity): Promise<boolean> {
    const headers = { ...keptHeaders(identity), [HEADER.attempt]: identity.attempt };
    return this.move(delivery, forward(delivery.message, identity, '', suspectQueueOf(this.queueName), headers));
  }

  /**
   * Sends a delayed task on: to where it waits until `notBeforeMs`, or without one to the work queue, as a task like any
   * other. Resolves to whether it is there.
   */
  sendOn(delivery: Delivery, identity: Identity, notBeforeMs: number | undefined): Promise<boolean> {
    const { message } = delivery;
    const headers = { ...keptHeaders(identity), [HEADER.attempt]: identity.attempt };
    if (notBeforeMs === undefined) {
      return this.move(delivery, forward(message, identity, EXCHANGE.tasks, this.queueName, headers));
    }
    return this.move(delivery, this.delayed(message, identity, notBeforeMs, headers));
  }

  private delayed(message: Message, identity: Identity, notBeforeMs: number, headers: Headers): Outgoing {
    if (delayLevelMs(notBeforeMs - this.clock.nowMs()) !== undefined) this.publisher.extend();
    // Asked again at each try: the level that fitted before an outage may be too long after it.
    const waitingQueue = () => waitingQueueOf(this.queueName, notBeforeMs - this.clock.nowMs());
    return inLevel(forward(message, identity, '', waitingQueue, { ...headers, [HEADER.notBeforeMs]: notBeforeMs }));
  }

  private async move(delivery: Delivery, elsewhere: Outgoing): Promise<boolean> {
    if (!(await this.publishUntilConfirmed(delivery, elsewhere))) return false;
    return ack(delivery);
  }

  /** Not confirmed: never ack. The delivery keeps its slot, and is tried again until it is safe or the channel is lost. */
  private async publishUntilConfirmed(delivery: Delivery, elsewhere: Outgoing): Promise<boolean> {
    const { lost } = delivery;
    let message = elsewhere;
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
          // It would never get on: what it says beside what a task needs has to stay behind.
          if (isUnwritable(error)) message = bare(elsewhere);
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

  /** With a priority it waits where delayed tasks do: only what passes by a worker on its way back can be given one again. */
  private retryOf(message: Message, identity: Identity, levelMs: number, failure: Failure, run: Run): Outgoing {
    const nowMs = this.clock.nowMs();
    const headers = {
      ...keptHeaders(identity),
      [HEADER.attempt]: identity.attempt + 1,
      [HEADER.execution]: executionOf(identity) + 1,
      [HEADER.firstFailedAtMs]: firstFailureMs(identity, nowMs),
      [HEADER.lastFailedAtMs]: nowMs,
      [HEADER.history]: historyWith(identity, failure, run, nowMs),
    };
    if (priorityOf(message) !== undefined) return this.delayed(message, identity, nowMs + levelMs, headers);
    return forward(message, identity, '', retryQueueOf(this.queueName, levelMs), headers);
  }

  /** It waits as a delayed task does; its attempt has not begun. */
  private postponedOf(message: Message, identity: Identity, delayMs: number): Outgoing {
    const { count, totalMs } = postponementsOf(identity.headers);
    const headers = {
      ...keptHeaders(identity),
      [HEADER.attempt]: identity.attempt,
      [HEADER.execution]: executionOf(identity) + 1,
      [HEADER.postponed]: count + 1,
      [HEADER.postponedMs]: totalMs + delayMs,
    };
    return this.delayed(message, identity, this.clock.nowMs() + delayMs, headers);
  }

  private deadLetterOf(message: Message, identity: Identity, failure: Failure, run: Run): Outgoing {
    const nowMs = this.clock.nowMs();
    const firstFailedAtMs = firstFailureMs(identity, nowMs);
    const headers = {
      ...keptHeaders(identity),
      ...deadLetterHeaders(failure, identity.attempt, this.queueName, firstFailedAtMs, nowMs),
      [HEADER.history]: historyWith(identity, failure, run, nowMs),
    };
    return forward(message, identity, EXCHANGE.dead, this.queueName, headers);
  }
}

/**
 * A dead letter as a task again, for the queue that it came from: the same id and bytes, attempt 1, and the history of
 * how it died. How often it was postponed counts anew, and it does not expire any more. Not patient: somebody waits for the answer.
 */
export function replayOf(
  message: Message,
  identity: Identity,
  originQueue: string,
  history: History,
  nowMs: number,
): Outgoing {
  const kept = keptHeaders(identity);
  for (const name of ENDED_BY_REPLAY) delete kept[name];
  const headers = {
    ...kept,
    [HEADER.attempt]: 1,
    [HEADER.execution]: executionOf(identity) + 1,
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
    worker: THIS_PROCESS,
    ...failure,
    stack,
  });
}

function isUnwritable(error: unknown): boolean {
  if (!(error instanceof PublishError) || error.outcome !== 'not-sent') return false;
  return error.cause instanceof RangeError || error.cause instanceof TypeError;
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
