import type { ClientEvents } from '../broker/events';
import type { MercuryError } from '../errors';
import type { Events } from '../events';
import type { JsonObject } from '../tasks/task';
import { EventBus } from './event-bus';
import type { EventBusOptions } from './options';
import type { Subscription } from './subscription';

export type Level = 'info' | 'critical';
export const LEVELS: readonly Level[] = ['info', 'critical'];

/**
 * The event bus with two levels. Publish with `info` and `critical`; to listen, extend it and `start`.
 *
 * @example
 * class AuditLogger extends Logger {
 *   override async handleCritical(data: object) { await page(data); }
 * }
 * const logger = new AuditLogger({ rabbitUrl: 'amqp://localhost', name: 'logs' });
 * await logger.start();
 */
export class Logger {
  private readonly bus: EventBus;
  private subscription: Subscription | undefined;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect. */
  constructor(options: EventBusOptions) {
    this.bus = new EventBus(options, 'direct');
  }

  get events(): Events<ClientEvents> {
    return this.bus.events;
  }

  /** Why an event could not be published now; undefined when it could. */
  get problem(): MercuryError | undefined {
    return this.bus.problem;
  }

  /** Called for each `info` event after `start`. Override it to listen. */
  handleInfo(_data: JsonObject): unknown {
    return undefined;
  }

  /** Called for each `critical` event after `start`. Override it to listen. */
  handleCritical(_data: JsonObject): unknown {
    return undefined;
  }

  /**
   * Publishes an event that is good to know. Connects, does not subscribe; that nobody listens is no error.
   * @throws InvalidMessageError `EVENT_INVALID`, `BODY_INVALID`, `EVENT_TOO_LARGE`.
   * @throws PublishError `PUBLISH_NOT_SENT`, `PUBLISH_UNKNOWN`.
   */
  info(data: object): Promise<void> {
    return this.bus.publish('info', data);
  }

  /** Publishes an event that somebody should look at. Like `info` otherwise. */
  critical(data: object): Promise<void> {
    return this.bus.publish('critical', data);
  }

  /**
   * Subscribes to both levels with a temporary queue of its own. Resolves once events arrive; comes back by itself.
   * @throws BrokerError `BROKER_ACCESS_REFUSED`, `BROKER_TOPOLOGY_MISMATCH` (the exchange exists with another type), `BROKER_TOPOLOGY_MISSING` (with topology `check`).
   */
  async start(): Promise<void> {
    this.bus.start();
    this.subscription ??= this.bus.subscribe(
      LEVELS.map((key) => ({ key })),
      ({ key, data }) => (key === 'critical' ? this.handleCritical(data) : this.handleInfo(data)),
    );
    await this.subscription.ready;
  }

  /** Unsubscribes and closes. Safe to call twice. */
  stop(): Promise<void> {
    return this.bus.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
