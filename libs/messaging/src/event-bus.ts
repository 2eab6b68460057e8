import { randomUUID } from 'node:crypto';
import type { ConfirmChannel, Message } from 'amqplib';
import { checkCallerHeaders, type CallerHeaders } from './caller-headers';
import { decodeJsonObject, encodeJson } from './codec';
import { DEFAULTS, resolveBus, type EventBusOptions, type ResolvedBus } from './config';
import { closeChannel, useConnections, type BrokerUse } from './connection';
import {
  BrokerError,
  InvalidMessageError,
  MercuryError,
  PublishError,
  brokerProblem,
  isHopeless,
  stopped,
} from './errors';
import { Events, type ClientEvents } from './events';
import { Publisher } from './publisher';
import { backoffMs, delay, within } from './retry-policy';
import { Gaps, Sequence } from './sequence';
import type { JsonObject } from './task';
import { anyAborted, controllerForMany } from './signals';

const DRAIN_TIMEOUT_MS = 5_000;
const SUBSCRIBE_AGAIN_CAP_MS = 5_000;
/** One stuck subscriber must not fill the broker: beyond this its oldest events are dropped. */
const MOST_QUEUED_EVENTS = 100_000;
const MOST_QUEUED_BYTES = 128 * 1_048_576;
const EVENT_PREFETCH = 100;
const BIND_AGAIN_MS = 10_000;

export type BusKind = 'direct' | 'fanout' | 'topic' | 'headers';

export interface BusEvent {
  key: string;
  data: JsonObject;
  headers: Readonly<Record<string, unknown>>;
}

/** One reason to receive an event: a key or pattern, or for a headers bus the headers with `x-match`. */
export interface Binding {
  key?: string;
  headers?: CallerHeaders;
}

export interface PublishEventOptions {
  /** At most 8 KiB in all. */
  headers?: CallerHeaders;
  /** Fail with `PUBLISH_RETURNED` when nobody is subscribed to the key. Default false: no listener is no error. */
  mandatory?: boolean;
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
  private receiving: Promise<void> | undefined;
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
   * Receives events from now on. After a lost connection it subscribes again, with a new queue: the events in between
   * are missed. An event that is no JSON object is reported as a problem and skipped, as is a handler that throws.
   * @param bindings an event that fits any of them is received, once.
   * @throws InvalidMessageError `EVENT_INVALID` for a key or header that cannot be. @throws MercuryError `STOPPED`.
   */
  subscribe(bindings: readonly Binding[], handler: (event: BusEvent) => unknown): Subscription {
    if (this.stopping) throw stopped('bus');
    for (const { key = '', headers } of bindings) checkRouting(key, headers);
    const { consuming } = this.broker.connections;
    const closed = controllerForMany();
    // Lives as long as the subscription: what a lost connection cost is noticed, too.
    const gaps = new Gaps();
    const handle = (event: BusEvent) => {
      this.reportGap(gaps.before(event.key, event.headers), event.key);
      return handler(event);
    };
    let problem: MercuryError | undefined = new BrokerError('BROKER_UNREACHABLE', 'Not subscribed yet.');
    let onReady: () => void = () => undefined;
    let onHopeless: (problem: MercuryError) => void = () => undefined;
    const ready = new Promise<void>((resolve, reject) => {
      onReady = resolve;
      onHopeless = reject;
    });
    // Told as a problem, too: who does not wait for it must not die of it.
    ready.catch(() => undefined);
    const state = {
      bound: () => {
        problem = undefined;
        onReady();
      },
      failed: (now: MercuryError) => {
        problem = now;
        if (isHopeless(now)) onHopeless(now);
      },
    };
    consuming.events.on('failed', state.failed);
    const done = this.receiveUntilClosed(bindings, handle, closed.signal, state).finally(onReady);
    const subscription: Subscription = {
      ready,
      get problem() {
        return problem;
      },
      close: async () => {
        this.subscriptions.delete(subscription);
        consuming.events.off('failed', state.failed);
        closed.abort();
        // The handler that runs now may end; no other begins.
        await within(DRAIN_TIMEOUT_MS, Promise.all([done, this.receiving]));
      },
    };
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

  private async receiveUntilClosed(
    bindings: readonly Binding[],
    handler: (event: BusEvent) => unknown,
    closed: AbortSignal,
    state: { bound(): void; failed(problem: MercuryError): void },
  ): Promise<void> {
    for (let failures = 0; !closed.aborted;) {
      try {
        await this.broker.connections.consuming.untilConnected(closed);
        const channel = await this.broker.connections.consuming.openChannel();
        let lost: AbortSignal;
        try {
          lost = await this.receiveOn(channel, bindings, handler, closed);
          failures = 0;
          state.bound();
          await anyAborted(lost, closed);
        } finally {
          await closeChannel(channel);
        }
        if (!closed.aborted)
          throw new BrokerError('BROKER_CHANNEL_LOST', 'The subscription was lost: events are missed.');
      } catch (cause) {
        if (closed.aborted) return;
        failures += 1;
        const problem = brokerProblem('Cannot subscribe; trying again', cause);
        state.failed(problem);
        this.events.emit('problem', problem);
        await delay(backoffMs(failures, SUBSCRIBE_AGAIN_CAP_MS), closed);
      }
    }
  }

  /** Resolves, once events arrive, to the loss of the subscription. */
  private async receiveOn(
    channel: ConfirmChannel,
    bindings: readonly Binding[],
    handler: (event: BusEvent) => unknown,
    closed: AbortSignal,
  ): Promise<AbortSignal> {
    const lost = controllerForMany();
    channel.once('close', () => lost.abort());
    await this.declareExchange(channel);
    const { queue } = await channel.assertQueue('', {
      exclusive: true,
      durable: false,
      arguments: {
        'x-max-length': MOST_QUEUED_EVENTS,
        'x-max-length-bytes': MOST_QUEUED_BYTES,
        'x-overflow': 'drop-head',
      },
    });
    const bindAll = async () => {
      for (const { key, headers } of bindings) await channel.bindQueue(queue, this.config.name, key ?? '', headers);
    };
    await bindAll();
    // An exchange that is deleted and declared again has lost its bindings, and tells nobody: binding again is harmless.
    const again = setInterval(
      () =>
        void this.declareExchange(channel)
          .then(bindAll)
          .catch(() => lost.abort()),
      BIND_AGAIN_MS,
    );
    void anyAborted(lost.signal, closed).then(() => clearInterval(again));
    await channel.prefetch(EVENT_PREFETCH, false);
    // Taken one after another, so that a logger writes them in the order of the bus.
    let last = Promise.resolve();
    await channel.consume(queue, (message) => {
      if (!message) return lost.abort();
      last = last.then(() => (closed.aborted ? undefined : this.receive(channel, message, handler)));
      this.receiving = last;
    });
    return lost.signal;
  }

  private async receive(
    channel: ConfirmChannel,
    message: Message,
    handler: (event: BusEvent) => unknown,
  ): Promise<void> {
    const key = message.fields.routingKey;
    try {
      const headers = (message.properties.headers ?? {}) as Record<string, unknown>;
      await handler({ key, data: decodeJsonObject(message.content), headers });
    } catch (cause) {
      const problem = new MercuryError('EVENT_SKIPPED', `An event with key "${key}" was skipped: ${String(cause)}`, {
        cause,
      });
      this.events.emit('problem', problem);
    }
    try {
      channel.ack(message);
    } catch {
      // The channel is gone, and the temporary queue with it.
    }
  }

  private reportGap(missed: number, key: string): void {
    if (missed === 0) return;
    const message = `${missed} events with key "${key}" were published and not heard: this subscriber was away or too slow.`;
    this.events.emit('problem', new MercuryError('EVENTS_MISSED', message));
  }

  private async declareExchange(channel: ConfirmChannel): Promise<void> {
    const { name } = this.config;
    try {
      await channel.assertExchange(name, this.kind, { durable: true });
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      if (!/PRECONDITION[-_]FAILED/.test(text)) throw cause;
      const message = `Exchange "${name}" exists, but not as a durable ${this.kind} exchange: ${text}`;
      throw new BrokerError('BROKER_TOPOLOGY_MISMATCH', message, { cause });
    }
  }
}

/** Refused by the broker they would close the channel, or the connection with all that is on it. */
function checkRouting(key: unknown, headers: CallerHeaders = {}): void {
  if (typeof key !== 'string' || Buffer.byteLength(key) > 255) {
    throw new InvalidMessageError('EVENT_INVALID', 'A key is a string of at most 255 bytes.');
  }
  checkCallerHeaders(headers, 'EVENT_INVALID');
}
