import type { Clock } from '../../clock';
import { Refusal } from './refusal';
import type { DeathReason, StoredMessage } from './stored-message';

/** Without a reason each abort would make a DOMException. */
const NO_LONGER = 'no longer';

export type QueueArguments = Readonly<Record<string, unknown>>;

export interface QueueOptions {
  readonly durable: boolean;
  /** The connection to which it belongs, and with which it ends; undefined for a queue that anybody may use. */
  readonly owner: object | undefined;
  readonly args: QueueArguments;
}

/** Who takes messages from a queue. */
export interface Consumer {
  readonly prefetch: number;
  readonly isExclusive: boolean;
  /** How many messages it has taken and not settled. */
  inHand: number;
  deliver(message: StoredMessage): void;
  /** The queue was deleted. */
  cancelled(): void;
}

/** A queue, durable or not: everything is kept in memory. What it cannot decide by itself it asks of its host. */
export interface QueueHost {
  readonly clock: Clock;
  /** Something can be delivered. */
  wake(): void;
  /** A delivery has ended, however it did. */
  ended(): void;
  /** Whether the message is stored where the queue's dead letters go, or goes nowhere. */
  bury(message: StoredMessage, queue: Queue, reason: DeathReason): boolean;
}

export class Queue {
  /** Given back ones come first, in the order in which they came back. */
  private returned: StoredMessage[] = [];
  private ready: StoredMessage[] = [];
  private readyBytes = 0;
  /** Dead ones that nobody could take yet. They are kept. */
  private unburied: { message: StoredMessage; reason: DeathReason }[] = [];
  private consumers: Consumer[] = [];
  private readonly taken = new Set<StoredMessage>();
  /** The head for whose time to live there is a timer. */
  private watched: StoredMessage | undefined;
  private expiry = new AbortController();

  constructor(
    readonly name: string,
    readonly options: QueueOptions,
    private readonly host: QueueHost,
  ) {}

  get readyCount(): number {
    return this.returned.length + this.ready.length;
  }

  /** Taken and not settled. */
  get inHand(): readonly StoredMessage[] {
    return [...this.taken];
  }

  get consumerCount(): number {
    return this.consumers.length;
  }

  get messages(): readonly StoredMessage[] {
    return [...this.returned, ...this.ready];
  }

  /** False when it is full and refuses: nothing was stored then. */
  push(message: StoredMessage): boolean {
    const { 'x-message-ttl': ttlMs, 'x-overflow': overflow } = this.options.args;
    if (overflow === 'reject-publish' && this.isOver(1, message.content.length)) return false;
    this.ready.push(message);
    this.readyBytes += message.content.length;
    while (this.isOver(0, 0)) this.drop(this.next() ?? message, 'maxlen');
    if (typeof ttlMs === 'number') {
      message.expiresAtMs = this.host.clock.nowMs() + ttlMs;
      this.watchExpiry();
    }
    this.host.wake();
    return true;
  }

  /** Takes the next message away from the head; undefined when there is none. It is in hand until it is settled. */
  take(): StoredMessage | undefined {
    const message = this.next();
    if (message) this.taken.add(message);
    return message;
  }

  /** It was acknowledged, or has gone elsewhere. */
  settle(message: StoredMessage): void {
    this.letGo(message);
    this.host.wake();
  }

  /** @param counts whether this delivery is one that ended without a word: then it counts toward the delivery limit. */
  giveBack(message: StoredMessage, counts: boolean): void {
    if (!this.letGo(message)) return;
    message.isRedelivered = true;
    if (counts) message.deliveryCount += 1;
    const { 'x-delivery-limit': limit } = this.options.args;
    if (typeof limit === 'number' && message.deliveryCount > limit) this.drop(message, 'delivery_limit');
    else {
      this.returned.push(message);
      this.readyBytes += message.content.length;
    }
    this.watchExpiry();
    this.host.wake();
  }

  reject(message: StoredMessage): void {
    if (this.letGo(message)) this.drop(message, 'rejected');
    this.host.wake();
  }

  /** @throws Refusal 403 where somebody has it for himself. */
  consume(consumer: Consumer): void {
    const isTaken =
      this.consumers.some(({ isExclusive }) => isExclusive) || (consumer.isExclusive && this.consumers.length > 0);
    if (isTaken) throw new Refusal(403, `queue '${this.name}' in vhost '/' in exclusive use`);
    this.consumers.push(consumer);
    this.host.wake();
  }

  cancel(consumer: Consumer): void {
    this.consumers = this.consumers.filter((each) => each !== consumer);
    this.host.wake();
  }

  /** Delivers one message to the consumer whose turn it is. Returns whether there was one who could take it. */
  deliverOne(): boolean {
    if (this.readyCount === 0) return false;
    const candidates =
      this.options.args['x-single-active-consumer'] === true ? this.consumers.slice(0, 1) : this.consumers;
    const consumer = candidates.find(({ inHand, prefetch }) => prefetch === 0 || inHand < prefetch);
    const message = consumer && this.take();
    if (!message) return false;
    if (candidates === this.consumers)
      this.consumers = [...this.consumers.filter((each) => each !== consumer), consumer];
    consumer.inHand += 1;
    consumer.deliver(message);
    return true;
  }

  /** Tries again to bury what nobody could take. */
  buryAgain(): void {
    for (const { message, reason } of this.unburied.splice(0)) this.drop(message, reason);
  }

  purge(): number {
    const count = this.readyCount;
    this.returned = [];
    this.ready = [];
    this.readyBytes = 0;
    return count;
  }

  /** Nothing of it is left: consumers are told, and what they hold belongs nowhere. */
  end(): number {
    this.expiry.abort(NO_LONGER);
    for (const consumer of this.consumers.splice(0)) consumer.cancelled();
    this.taken.clear();
    return this.purge();
  }

  /** Whether with so much more there is more ready than the queue takes (RabbitMQ docs, maxlength). */
  private isOver(count: number, bytes: number): boolean {
    const { 'x-max-length': mostCount, 'x-max-length-bytes': mostBytes } = this.options.args;
    return (
      (typeof mostCount === 'number' && this.readyCount + count > mostCount) ||
      (typeof mostBytes === 'number' && this.readyBytes + bytes > mostBytes)
    );
  }

  private get head(): StoredMessage | undefined {
    return this.returned[0] ?? this.ready[0];
  }

  private next(): StoredMessage | undefined {
    const message = this.returned.shift() ?? this.ready.shift();
    this.readyBytes -= message?.content.length ?? 0;
    return message;
  }

  /** False when it was not in hand any more: the queue was deleted. */
  private letGo(message: StoredMessage): boolean {
    this.host.ended();
    return this.taken.delete(message);
  }

  private drop(message: StoredMessage, reason: DeathReason): void {
    if (!this.host.bury(message, this, reason)) this.unburied.push({ message, reason });
  }

  /** Only at the head, as RabbitMQ does it (RabbitMQ docs, ttl). */
  private watchExpiry(): void {
    const { head } = this;
    if (head === this.watched) return;
    this.watched = head;
    this.expiry.abort(NO_LONGER);
    if (!head || head.expiresAtMs === Infinity) return;
    this.expiry = new AbortController();
    const { signal } = this.expiry;
    void this.host.clock.delay(head.expiresAtMs - this.host.clock.nowMs(), signal).then(() => {
      if (!signal.aborted) this.expire();
    });
  }

  private expire(): void {
    const nowMs = this.host.clock.nowMs();
    while (this.head && this.head.expiresAtMs <= nowMs) {
      const expired = this.next();
      if (expired) this.drop(expired, 'expired');
    }
    this.watched = undefined;
    this.watchExpiry();
  }
}
