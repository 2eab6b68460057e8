import { randomUUID } from 'node:crypto';
import type { ConfirmChannel } from 'amqplib';
import { closeChannel } from '../broker/connection';
import { connectedInTime, useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { declareBus } from '../broker/topology';
import { InvalidMessageError, MercuryError, PublishError, brokerProblem, stopped, type BrokerError } from '../errors';
import { Events } from '../events';
import { OncePerMinute } from '../once-per-minute';
import { Sequence } from '../sequence';
import { controllerForMany } from '../signals';
import { within } from '../timing';
import type { CallerHeaders } from '../tasks/caller-headers';
import { encodeJson } from '../tasks/codec';
import { DEFAULTS } from '../tasks/options';
import type { Sendable } from '../tasks/payload';
import { checkRouting, namesOf, patternOf, type Binding } from './bindings';
import {
  WorkingSubscription,
  type DurableEvent,
  type DurableHost,
  type DurableSubscription,
  type DurableSubscriptionOptions,
} from './durable-subscription';
import { EventContract } from './event-contract';
import { checkDurable, durableQueueOf, resolveBus, type EventBusOptions, type ResolvedBus } from './options';
import { QueueSubscription, type BusEvent, type Subscription } from './subscription';
import { removeQueues, type RemoveSubscriptionOptions, type RemovedSubscription } from './subscription-removal';

const DRAIN_TIMEOUT_MS = 5_000;

export type BusKind = 'direct' | 'fanout' | 'topic' | 'headers';

export interface PublishEventOptions {
  /** At most 8 KiB in all. */
  headers?: CallerHeaders;
  /**
   * Fail with `PUBLISH_RETURNED` when nobody is subscribed to the key, and with `PUBLISH_NACKED` when a queue refuses the event, as that
   * of a durable subscription does when it is full. Default false: no listener is no error, and what was refused is a `problem`.
   */
  mandatory?: boolean;
}

/**
 * Events. A temporary subscription hears what is published while it listens: its queue is gone with its connection. A durable
 * one has a name and a queue that stays: it gets every event from its first start on, whether somebody runs or not, and handles
 * each like a task. What nobody is subscribed to is gone.
 */
export class EventBus {
  readonly events = new Events<ClientEvents>();
  private readonly config: ResolvedBus;
  private readonly broker: BrokerUse;
  private readonly publisher: Publisher;
  private readonly subscriptions = new Set<Subscription>();
  /** Of subscriptions that do not hear anything yet. */
  private readonly beginning = new Set<Promise<void>>();
  private readonly sequence = new Sequence();
  private readonly leaving = controllerForMany();
  private readonly toldRefusals = new OncePerMinute();
  private stopping: Promise<void> | undefined;

  /**
   * @param kind the exchange's type; every program on the same bus must name the same.
   * @throws ConfigError `CONFIG_INVALID`. Does not connect: the first `publish` or `subscribe` does.
   */
  constructor(
    options: EventBusOptions,
    readonly kind: BusKind = 'direct',
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

  get name(): string {
    return this.config.name;
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
   * Publishes an event. Resolves when the broker has given it to the queue of every subscriber that can take it. It waits for subscriptions of
   * this bus that have not begun yet, up to `publishTimeoutMs`.
   * @throws InvalidMessageError `EVENT_INVALID`, `BODY_INVALID`, `EVENT_TOO_LARGE`.
   * @throws PublishError `PUBLISH_NOT_SENT`, `PUBLISH_UNKNOWN`; with `mandatory` also `PUBLISH_RETURNED`.
   */
  publish(key: string, data: object, options?: PublishEventOptions): Promise<void>;
  /**
   * Publishes an event of a contract, under its key.
   * @throws as above, and InvalidMessageError `INVALID_PAYLOAD`: nothing was sent.
   */
  publish<Sent extends object>(
    contract: EventContract<Sent, unknown>,
    data: NoInfer<Sendable<Sent>>,
    options?: PublishEventOptions,
  ): Promise<void>;
  async publish(
    keyOrContract: string | EventContract<object, unknown>,
    data: object,
    options: PublishEventOptions = {},
  ): Promise<void> {
    if (!(keyOrContract instanceof EventContract)) return this.publishTo(keyOrContract, data, options);
    const { key, bus } = keyOrContract;
    if (bus !== this.config.name) {
      throw new InvalidMessageError(
        'EVENT_INVALID',
        `"${key}" is an event of the bus "${bus}", not "${this.config.name}".`,
      );
    }
    await keyOrContract.checkSent(data);
    return this.publishTo(key, data, options);
  }

  /**
   * Receives events from now on, one after the other: while the handler runs, the broker keeps the others, up to 100,000 and 128 MiB. After a lost
   * connection it subscribes again, with a new queue: the events in between are missed. When only its channel was lost, none is, and
   * those that were in hand come again. An event that is no JSON object is reported as a problem and skipped, as is a handler that throws.
   * @param bindings an event that fits any of them is received, once.
   * @throws InvalidMessageError `EVENT_INVALID` for a key or header that cannot be. @throws MercuryError `STOPPED`.
   */
  subscribe(bindings: readonly Binding[], handler: (event: BusEvent) => unknown): Subscription;
  /**
   * Receives events as a durable subscription, a work queue `<bus>.<durable>`: what is published while no replica runs is kept, replicas share
   * the events, at most `capacity` at once in each, and a handler that throws is tried again after the retry levels, then the event is a
   * dead letter of this subscription, as is at once one that is no JSON object. Events are handled at least once.
   * The queue and its bindings stay, until `removeSubscription`; a binding that is not given any more stays, too, until it is named in `unbind`.
   * @throws InvalidMessageError `EVENT_INVALID`. @throws MercuryError `STOPPED`.
   * @throws ConfigError `CONFIG_INVALID`, also for a name that this bus has subscribed to with other bindings.
   */
  subscribe(
    bindings: readonly Binding[],
    handler: (event: DurableEvent) => unknown,
    options: DurableSubscriptionOptions,
  ): DurableSubscription;
  subscribe(
    bindings: readonly Binding[],
    handler: (event: DurableEvent) => unknown,
    options?: DurableSubscriptionOptions,
  ): Subscription {
    if (this.stopping) throw stopped('bus');
    for (const { key = '', headers } of [...bindings, ...(options?.unbind ?? [])]) checkRouting(key, headers);
    const host = this.subscriptionHost();
    let subscription: Subscription;
    if (options) {
      checkDurable(this.config.name, options.durable, this.conflictsOf(bindings, options));
      subscription = new WorkingSubscription(host, bindings, handler, options);
    } else subscription = new QueueSubscription(host, bindings, handler as (event: BusEvent) => unknown);
    this.subscriptions.add(subscription);
    const begun = subscription.ready.catch(() => undefined).finally(() => this.beginning.delete(begun));
    this.beginning.add(begun);
    return subscription;
  }

  /**
   * Removes a durable subscription that is given up: its queue with all that belong to it, so that it gets no more events. Safe to call again.
   * @param durable its name on this bus.
   * @throws MercuryError `SUBSCRIPTION_IN_USE` while a replica runs, `SUBSCRIPTION_NOT_EMPTY` when events or dead letters are in it, `STOPPED`.
   * @throws BrokerError when the broker cannot be reached within `publishTimeoutMs`, or refuses. @throws ConfigError `CONFIG_INVALID`.
   */
  async removeSubscription(durable: string, options: RemoveSubscriptionOptions = {}): Promise<RemovedSubscription> {
    const { name, publishTimeoutMs } = this.config;
    checkDurable(name, durable);
    const { consuming } = this.broker.connections;
    await connectedInTime(consuming, publishTimeoutMs, this.leaving.signal);
    try {
      return await removeQueues(consuming, durableQueueOf(name, durable), options);
    } catch (cause) {
      throw brokerProblem(`Subscription "${durable}" could not be removed`, cause);
    }
  }

  /** Ends the subscriptions, waits up to 5 s for open confirms, closes the connection. Safe to call twice. */
  stop(): Promise<void> {
    this.leaving.abort(stopped('bus'));
    this.stopping ??= this.close();
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async publishTo(key: string, data: object, options: PublishEventOptions): Promise<void> {
    checkRouting(key, options.headers);
    const content = encodeJson(data, 'EVENT', DEFAULTS.maxPayloadBytes);
    const mandatory = options.mandatory ?? false;
    // Before it gets its number: others may be published meanwhile.
    if (this.beginning.size > 0) await this.untilBegun();
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
      // The queue of one subscriber could not take it, such as one whose node is down: those that live have it all the same.
      const isOneSubscriber = error instanceof PublishError && error.outcome === 'nacked' && !mandatory;
      if (!isOneSubscriber) throw error;
      this.tellRefused(key, error);
    }
  }

  /**
   * Who subscribes and then publishes hears it: also where the one is begun at the start of an application, and nobody waits for it.
   * @throws PublishError `PUBLISH_NOT_SENT` where that took too long because the broker is away: no second deadline begins.
   */
  private async untilBegun(): Promise<void> {
    const { publishTimeoutMs } = this.config;
    await within(publishTimeoutMs, Promise.all(this.beginning));
    const { problem } = this.broker.connections.publishing;
    if (this.beginning.size === 0 || !problem) return;
    throw new PublishError('not-sent', `Not sent within ${publishTimeoutMs} ms: ${problem.message}`, {
      cause: problem,
    });
  }

  private subscriptionHost(): DurableHost {
    const { connections } = this.broker;
    return {
      exchange: this.config.name,
      connections,
      topology: this.config.topology,
      consuming: connections.consuming,
      declareExchange: (channel) => this.declareExchange(channel),
      onProblem: (problem) => this.events.emit('problem', problem),
      onClosed: (closed) => this.subscriptions.delete(closed),
    };
  }

  /** What would get nothing, or what another subscription of this program would undo. */
  private conflictsOf(bindings: readonly Binding[], { durable, unbind = [] }: DurableSubscriptionOptions): string[] {
    const problems: string[] = [];
    const pattern = this.kind === 'direct' && patternOf(bindings);
    if (pattern) problems.push(`"${pattern}" is a pattern, and gets nothing of a direct bus: make it a topic bus`);
    const others = [...this.subscriptions].filter((each) => each instanceof WorkingSubscription);
    const isOther = (each: WorkingSubscription) =>
      each.options.durable === durable && namesOf(each.bindings).join() !== namesOf(bindings).join();
    if (others.some(isOther)) problems.push(`"${durable}" is subscribed to with other bindings by this bus already`);
    const unbound = namesOf(unbind);
    const both = namesOf(bindings).filter((name) => unbound.includes(name));
    if (both.length > 0) problems.push(`unbind names what is to be bound: ${both.join(', ')}`);
    return problems;
  }

  /** A queue that is full refuses each of them. */
  private tellRefused(key: string, cause: PublishError): void {
    if (!this.toldRefusals.isDue('EVENT_REFUSED')) return;
    const text = `A subscriber's queue has refused an event with key "${key}", as a full one does: that subscriber does not get it. With \`mandatory\` the publish fails instead.`;
    this.events.emit('problem', new MercuryError('EVENT_REFUSED', text, { cause }));
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
