import type { ConfirmChannel, Message } from 'amqplib';
import { closeChannel, type Connection } from '../broker/connection';
import { BrokerError, MercuryError, brokerProblem, isHopeless } from '../errors';
import { Gaps } from '../sequence';
import { anyAborted, controllerForMany } from '../signals';
import { decodeJsonObject } from '../tasks/codec';
import type { JsonObject } from '../tasks/task';
import { backoffMs, delay, within } from '../timing';
import type { Binding } from './bindings';

const DRAIN_TIMEOUT_MS = 5_000;
const BROKER_ANSWER_MS = 1_000;
const SUBSCRIBE_AGAIN_CAP_MS = 5_000;
/** One stuck subscriber must not fill the broker: beyond this its oldest events are dropped. */
const MOST_QUEUED_EVENTS = 100_000;
const MOST_QUEUED_BYTES = 128 * 1_048_576;
/** So many events of up to 1 MiB may be in a subscriber's memory while its handler takes none. */
const EVENT_PREFETCH = 20;
const BIND_AGAIN_MS = 10_000;

export interface BusEvent {
  key: string;
  data: JsonObject;
  headers: Readonly<Record<string, unknown>>;
}

export interface Subscription {
  /**
   * Resolves once the queue is bound: from then on events arrive. Rejects with `BROKER_ACCESS_REFUSED` or
   * `BROKER_TOPOLOGY_MISMATCH` (the exchange has another type), but goes on trying until `close`.
   */
  readonly ready: Promise<void>;
  /** Why no events arrive now; undefined when they do. */
  readonly problem: MercuryError | undefined;
  close(): Promise<void>;
}

/** What a subscription needs of its bus. */
export interface SubscriptionHost {
  readonly exchange: string;
  readonly consuming: Connection;
  declareExchange(channel: ConfirmChannel): Promise<void>;
  onProblem(problem: MercuryError): void;
  onClosed(subscription: Subscription): void;
}

/** Receives events until it is closed, over channels and connections that are lost. One event after the other. */
export class QueueSubscription implements Subscription {
  readonly ready: Promise<void>;
  private currentProblem: MercuryError | undefined = new BrokerError('BROKER_UNREACHABLE', 'Not subscribed yet.');
  private onReady: () => void = () => undefined;
  private onHopeless: (problem: MercuryError) => void = () => undefined;
  private readonly closed = controllerForMany();
  private readonly done: Promise<void>;
  /** It lives as long as its connection: on another channel what waits in it comes, and once more what was in hand. */
  private queue: string | undefined;
  private handling: Promise<void> = Promise.resolve();
  /** Lives as long as the subscription: what a lost connection cost is noticed, too. */
  private readonly gaps = new Gaps();
  private readonly onDown = () => (this.queue = undefined);
  private readonly onFailed = (problem: MercuryError) => {
    this.currentProblem = problem;
    if (isHopeless(problem)) this.onHopeless(problem);
  };

  constructor(
    private readonly host: SubscriptionHost,
    private readonly bindings: readonly Binding[],
    private readonly handler: (event: BusEvent) => unknown,
  ) {
    this.ready = new Promise<void>((resolve, reject) => {
      this.onReady = resolve;
      this.onHopeless = reject;
    });
    // Told as a problem, too: who does not wait for it must not die of it.
    this.ready.catch(() => undefined);
    host.consuming.events.on('failed', this.onFailed).on('down', this.onDown);
    this.done = this.receiveUntilClosed().finally(this.onReady);
  }

  get problem(): MercuryError | undefined {
    return this.currentProblem;
  }

  /** The handler that runs now may end, within 5 s; no other begins. */
  async close(): Promise<void> {
    this.host.onClosed(this);
    this.closed.abort();
    await within(DRAIN_TIMEOUT_MS, Promise.all([this.done, this.handling]));
    this.host.consuming.events.off('failed', this.onFailed).off('down', this.onDown);
  }

  private async receiveUntilClosed(): Promise<void> {
    const { signal } = this.closed;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.host.consuming.untilConnected(signal);
        const channel = await this.host.consuming.openChannel();
        try {
          const lost = await this.receiveOn(channel);
          failures = 0;
          this.currentProblem = undefined;
          this.onReady();
          await anyAborted(lost, signal);
        } finally {
          await closeChannel(channel);
        }
        if (!signal.aborted) throw new BrokerError('BROKER_CHANNEL_LOST', 'The subscription was lost.');
      } catch (cause) {
        if (signal.aborted) break;
        failures += 1;
        const problem = brokerProblem('Cannot subscribe; trying again', cause);
        this.onFailed(problem);
        this.host.onProblem(problem);
        await delay(backoffMs(failures, SUBSCRIBE_AGAIN_CAP_MS), signal);
      }
    }
    await within(BROKER_ANSWER_MS, this.deleteQueue());
  }

  /** Resolves, once events arrive, to the loss of the channel or its consumer. */
  private async receiveOn(channel: ConfirmChannel): Promise<AbortSignal> {
    const lost = controllerForMany();
    channel.once('close', () => lost.abort());
    await this.host.declareExchange(channel);
    const queue = await this.queueOn(channel);
    const bindAll = async () => {
      for (const { key, headers } of this.bindings)
        await channel.bindQueue(queue, this.host.exchange, key ?? '', headers);
    };
    await bindAll();
    // An exchange that is deleted and declared again has lost its bindings, and tells nobody: binding again is harmless.
    const again = setInterval(
      () =>
        void this.host
          .declareExchange(channel)
          .then(bindAll)
          .catch(() => lost.abort()),
      BIND_AGAIN_MS,
    );
    void anyAborted(lost.signal, this.closed.signal).then(() => clearInterval(again));
    await channel.prefetch(EVENT_PREFETCH, false);
    const isOver = () => lost.signal.aborted || this.closed.signal.aborted;
    // Taken one after another, so that a logger writes them in the order of the bus.
    await channel.consume(queue, (message) => {
      if (!message) return lost.abort();
      this.handling = this.handling.then(() => (isOver() ? undefined : this.receive(channel, message)));
    });
    return lost.signal;
  }

  private async queueOn(channel: ConfirmChannel): Promise<string> {
    if (this.queue !== undefined) {
      await channel.checkQueue(this.queue).catch((cause: unknown) => {
        // It is gone, or of another connection: the next try makes a new one.
        if ([404, 405].includes((cause as { code?: number }).code ?? 0)) this.queue = undefined;
        throw cause;
      });
      return this.queue;
    }
    const { queue } = await channel.assertQueue('', {
      exclusive: true,
      durable: false,
      arguments: {
        'x-max-length': MOST_QUEUED_EVENTS,
        'x-max-length-bytes': MOST_QUEUED_BYTES,
        'x-overflow': 'drop-head',
      },
    });
    this.queue = queue;
    return queue;
  }

  private async receive(channel: ConfirmChannel, message: Message): Promise<void> {
    const key = message.fields.routingKey;
    try {
      const headers = (message.properties.headers ?? {}) as Record<string, unknown>;
      this.reportGap(this.gaps.before(key, headers), key);
      await this.handler({ key, data: decodeJsonObject(message.content), headers });
    } catch (cause) {
      const text = `An event with key "${key}" was skipped: ${String(cause)}`;
      this.host.onProblem(new MercuryError('EVENT_SKIPPED', text, { cause }));
    }
    try {
      channel.ack(message);
    } catch {
      // The channel is gone: the event comes again, or its queue is gone, too.
    }
  }

  private reportGap(missed: number, key: string): void {
    if (missed === 0) return;
    const text = `${missed} events with key "${key}" were published and not heard: this subscriber was away or too slow.`;
    this.host.onProblem(new MercuryError('EVENTS_MISSED', text));
  }

  /** On a connection that others use it would be bound, and fill, as long as they do. */
  private async deleteQueue(): Promise<void> {
    if (this.queue === undefined) return;
    const channel = await this.host.consuming.openChannel();
    await channel.deleteQueue(this.queue);
    await closeChannel(channel);
  }
}
