import { randomUUID } from 'node:crypto';
import type { ConfirmChannel } from 'amqplib';
import { closeChannel } from '../broker/connection';
import { useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { declareBus } from '../broker/topology';
import { InvalidMessageError, PublishError, stopped, type BrokerError, type MercuryError } from '../errors';
import { Events } from '../events';
import { Sequence } from '../sequence';
import { checkCallerHeaders, type CallerHeaders } from '../tasks/caller-headers';
import { encodeJson } from '../tasks/codec';
import { DEFAULTS } from '../tasks/options';
import { resolveBus, type EventBusOptions, type ResolvedBus } from './options';
import {
  QueueSubscription,
  type Binding,
  type BusEvent,
  type Subscription,
  type SubscriptionHost,
} from './subscription';

const DRAIN_TIMEOUT_MS = 5_000;

export type BusKind = 'direct' | 'fanout' | 'topic' | 'headers';

export interface PublishEventOptions {
  /** At most 8 KiB in all. */
  headers?: CallerHeaders;
  /** Fail with `PUBLISH_RETURNED` when nobody is subscribed to the key. Default false: no listener is no error. */
  mandatory?: boolean;
}

/**
 * Events for whoever listens now: each subscriber has a temporary queue of its own, gone with its connection.
 * What nobody listens to is gone too; for work that must not be lost there is WorkerClient.
 */
export class EventBus {
  readonly events = new Events<ClientEvents>();
  private readonly config: ResolvedBus;
  private readonly broker: BrokerUse;
  private readonly publisher: Publisher;
  private readonly subscriptions = new Set<Subscription>();
  private readonly sequence = new Sequence();
  private stopping: Promise<void> | undefined;

  /**
   * @param kind the exchange's type; every program on the same bus must name the same.
   * @throws ConfigError `CONFIG_INVALID`. Does not connect: the first `publish` or `subscribe` does.
   */
  constructor(
    options: EventBusOptions,
    private readonly kind: BusKind = 'direct',
  ) {
    this.config = resolveBus(options);
    const onProblem = (problem: BrokerError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `bus ${this.config.name}`, onProblem);
    const { publishing } = this.broker.connections;
    const declare = async () => {
      const channel = await publishing.openChannel();
      await this.declareExchange(channel);
      await closeChannel(channel);
    };
    this.publisher = new Publisher(publishing, declare, this.config.publishTimeoutMs, this.events);
  }

  /** Why a `publish` would fail now, or a subscription gets nothing; undefined when all is well. */
  get problem(): MercuryError | undefined {
    const deaf = [...this.subscriptions].find((subscription) => subscription.problem);
    return deaf?.problem ?? this.publisher.problem;
  }

  /** Connects and declares the exchange in the background, so that `problem` tells the truth. */
  start(): void {
    this.publisher.open();
  }

  /**
   * Publishes an event. Resolves when the broker has given it to the queue of every subscriber that can take it.
   * @throws InvalidMessageError `EVENT_INVALID`, `BODY_INVALID`, `EVENT_TOO_LARGE`.
   * @throws PublishError `PUBLISH_NOT_SENT`, `PUBLISH_UNKNOWN`; with `mandatory` also `PUBLISH_RETURNED`.
   */
  async publish(key: string, data: object, options: PublishEventOptions = {}): Promise<void> {
    checkRouting(key, options.headers);
    const content = encodeJson(data, 'EVENT', DEFAULTS.maxPayloadBytes);
    const mandatory = options.mandatory ?? false;
    const properties = {
      messageId: randomUUID(),
      mandatory,
      contentType: 'application/json',
      timestamp: Math.floor(this.broker.clock.nowMs() / 1000),
      appId: 'mercury',
      // On a headers bus they would take part in the routing.
      headers: { ...options.headers, ...(this.kind === 'headers' ? {} : this.sequence.next(key)) },
    };
    const { name: exchange } = this.config;
    try {
      await this.publisher.publish({ exchange, routingKey: key, content, properties });
    } catch (error) {
      // The queue of one listener could not take it, such as one whose node is down: those that live have it all the same.
      const isOneListener = error instanceof PublishError && error.outcome === 'nacked' && !mandatory;
      if (!isOneListener) throw error;
    }
  }

  /**
   * Receives events from now on, one after the other: while the handler runs, the broker keeps the others, up to 100,000 and 128 MiB. After a lost
   * connection it subscribes again, with a new queue: the events in between are missed. When only its channel was lost, none is, and
   * those that were in hand come again. An event that is no JSON object is reported as a problem and skipped, as is a handler that throws.
   * @param bindings an event that fits any of them is received, once.
   * @throws InvalidMessageError `EVENT_INVALID` for a key or header that cannot be. @throws MercuryError `STOPPED`.
   */
  subscribe(bindings: readonly Binding[], handler: (event: BusEvent) => unknown): Subscription {
    if (this.stopping) throw stopped('bus');
    for (const { key = '', headers } of bindings) checkRouting(key, headers);
    const host: SubscriptionHost = {
      exchange: this.config.name,
      consuming: this.broker.connections.consuming,
      declareExchange: (channel) => this.declareExchange(channel),
      onProblem: (problem) => this.events.emit('problem', problem),
      onClosed: (closed) => this.subscriptions.delete(closed),
    };
    const subscription = new QueueSubscription(host, bindings, handler);
    this.subscriptions.add(subscription);
    return subscription;
  }

  /** Ends the subscriptions, waits up to 5 s for open confirms, closes the connection. Safe to call twice. */
  stop(): Promise<void> {
    this.stopping ??= this.close();
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
    await this.publisher.close(DRAIN_TIMEOUT_MS);
    await this.broker.close();
  }

  private declareExchange(channel: ConfirmChannel): Promise<void> {
    const { name, topology } = this.config;
    return declareBus(channel, { name, type: this.kind }, topology);
  }
}

/** Refused by the broker they would close the channel, or the connection with all that is on it. */
function checkRouting(key: unknown, headers: CallerHeaders = {}): void {
  if (typeof key !== 'string' || Buffer.byteLength(key) > 255) {
    throw new InvalidMessageError('EVENT_INVALID', 'A key is a string of at most 255 bytes.');
  }
  checkCallerHeaders(headers, 'EVENT_INVALID');
}
