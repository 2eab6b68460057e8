import { randomUUID } from 'node:crypto';
import type { ConfirmChannel, Message, Options } from 'amqplib';
import { EXCHANGE, scheduleQueueOf } from '../broker/topology';
import { BrokerError, MercuryError, PublishError, brokerProblem } from '../errors';
import { anyAborted, controllerForMany } from '../signals';
import type { EncodedTask } from '../tasks/codec';
import { decodeState, encodeState, mergeState, type ScheduleState } from './schedule-state';

const CANCELLED = 'The broker cancelled the consumer of the schedule queue: it was deleted or moved.';

/**
 * One replica's part in the election, for as long as its channel lives. The schedule queue has a single active consumer:
 * who gets its messages leads, and keeps the newest state unacked in hand; when it is gone the broker gives that to the
 * next. What a leader enqueues goes over the channel that made it the leader: a replica whose place was given to another,
 * be it that it stood still or that its connection was cut, cannot reach the queue any more.
 */
export class Leadership {
  private readonly ending = controllerForMany();
  private readonly leading = controllerForMany();
  /** Unacked, oldest first. */
  private held: Message[] = [];
  /** The newest state that the broker has confirmed. */
  private storedId: string | undefined;
  /** The newest one that was sent: it may come in before its confirm. */
  private sentId: string | undefined;
  /** Whether something is in hand that is in no stored state. */
  private isNews = false;
  private hasDeliveries = false;
  private claimId = '';
  private readonly returned = new Set<unknown>();
  /** One for each unconfirmed publish. */
  private readonly unconfirmed = new Set<() => void>();

  /** @param state what this replica knows; the states that come in are merged into it. */
  constructor(
    private readonly channel: ConfirmChannel,
    private readonly queueName: string,
    private readonly state: ScheduleState,
    private readonly onProblem: (problem: MercuryError) => void,
  ) {
    // Comes before `close`, and says why: the first end counts.
    channel.once('error', (cause: Error) => this.end(brokerProblem('The channel of the scheduler was lost', cause)));
    // First in line: amqplib itself tells every open confirm callback at `close` that its publish was refused.
    channel.prependOnceListener('close', () => this.end(lost('The channel of the scheduler was lost.')));
    channel.on('return', (message) => this.returned.add(message.properties.messageId));
  }

  /** Aborts when the channel is lost, with a BrokerError that says why. */
  get lost(): AbortSignal {
    return this.ending.signal;
  }

  /** Takes part. Resolves once this replica would be told if it led. */
  async stand(): Promise<void> {
    const onMessage = (message: Message | null) => (message ? this.take(message) : this.end(lost(CANCELLED)));
    await this.channel.consume(scheduleQueueOf(this.queueName), onMessage);
    // So that there is something in the queue to be had: whoever gets it leads.
    await this.claim();
  }

  /** Resolves once this replica leads, or has lost its channel. */
  untilLeading(signal: AbortSignal): Promise<void> {
    return anyAborted(this.leading.signal, this.lost, signal);
  }

  /**
   * Resolves when the broker has stored the task. Once it is sent it waits as long as the channel lives: sending it again
   * would only make copies.
   * @throws PublishError `PUBLISH_RETURNED`, `PUBLISH_NACKED`, `PUBLISH_UNKNOWN`.
   */
  put({ content, properties }: EncodedTask): Promise<void> {
    return this.publish(EXCHANGE.tasks, this.queueName, content, properties);
  }

  /** Stores the state, and then lets go of everything older. @throws PublishError as `put`. */
  async store(): Promise<void> {
    this.isNews = false;
    const id = randomUUID();
    this.sentId = id;
    await this.publishState(id);
    this.storedId = id;
    this.letGo();
  }

  private take(message: Message): void {
    this.held.push(message);
    const state = decodeState(message.content);
    if (state && mergeState(this.state, state)) this.isNews = true;
    if (!state) this.onProblem(noState(this.queueName));
    // FIFO: with its own claim a new leader has seen all that its predecessors have stored.
    if (message.properties.messageId === this.claimId) this.leading.abort();
    else if (this.leading.signal.aborted) this.letGo();
    // Its first claim may have gone to a predecessor.
    else if (!this.hasDeliveries) this.claim().catch(() => undefined);
    this.hasDeliveries = true;
  }

  private async claim(): Promise<void> {
    this.claimId = randomUUID();
    try {
      await this.publishState(this.claimId);
    } catch (error) {
      this.end(lost(`The schedule queue takes nothing: ${(error as Error).message}`));
      throw this.lost.reason;
    }
  }

  /** Never before a newer state is stored, and never anything of which that one does not know. */
  private letGo(): void {
    if (this.storedId === undefined || this.isNews) return;
    const kept = new Set<unknown>([this.storedId, this.sentId]);
    const older = this.held.filter(({ properties }) => !kept.has(properties.messageId));
    this.held = this.held.filter(({ properties }) => kept.has(properties.messageId));
    const { channel } = this;
    if (!this.lost.aborted) for (const message of older) channel.ack(message);
  }

  private publishState(messageId: string): Promise<void> {
    const properties = { messageId, contentType: 'application/json', deliveryMode: 2, appId: 'mercury' };
    return this.publish('', scheduleQueueOf(this.queueName), encodeState(this.state), properties);
  }

  private publish(exchange: string, routingKey: string, content: Buffer, properties: Options.Publish): Promise<void> {
    const { messageId } = properties;
    return new Promise((resolve, reject) => {
      const fail = () => reject(unknownOutcome(this.lost.reason));
      if (this.lost.aborted) return fail();
      this.unconfirmed.add(fail);
      this.channel.publish(exchange, routingKey, content, { ...properties, mandatory: true }, (nack: unknown) => {
        this.unconfirmed.delete(fail);
        // A return comes before its confirm.
        if (this.returned.delete(messageId)) {
          reject(new PublishError('returned', `No queue took the message: was "${routingKey}" deleted?`));
        } else if (nack) reject(new PublishError('nacked', `Queue "${routingKey}" is full.`));
        else resolve();
      });
    });
  }

  private end(problem: MercuryError): void {
    if (this.lost.aborted) return;
    this.ending.abort(problem);
    for (const fail of this.unconfirmed) fail();
  }
}

function lost(message: string): BrokerError {
  return new BrokerError('BROKER_CHANNEL_LOST', message);
}

function unknownOutcome(cause: unknown): PublishError {
  return new PublishError('unknown', 'The channel closed before the confirm came.', { cause });
}

function noState(queueName: string): MercuryError {
  const message = `A message in queue "${scheduleQueueOf(queueName)}" is no state of schedules: it is dropped. Who put it there?`;
  return new MercuryError('SCHEDULE_STATE_INVALID', message);
}
