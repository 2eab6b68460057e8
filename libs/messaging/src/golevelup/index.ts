// First: it says what is missing before anything asks for it.
import './peers';
import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { Connection, type Connections } from '../broker/connection';
import type { MakeLink } from '../broker/link';
import { socketOf } from '../broker/socket';
import { backoffMs } from '../timing';
import { GolevelupLink, type ManagedConnection } from './golevelup-link';

const RECONNECT_CAP_MS = 5_000;

/**
 * Mercury on two connections of an application's own `RabbitMQModule`, such as those that `AmqpConnectionManager.getConnection(name)`
 * gives. They stay the application's: how they reconnect is up to its options, and closing Mercury closes neither. Two, because the
 * broker stops reading from a connection that publishes while an alarm is on, and acks sent on it would wait, too.
 *
 * @example
 * MessagingModule.forRootAsync({
 *   inject: [AmqpConnectionManager],
 *   useFactory: (amqp: AmqpConnectionManager) => ({
 *     queueName: 'reports',
 *     connections: golevelupConnections({
 *       publishing: amqp.getConnection('publishing')!,
 *       consuming: amqp.getConnection('consuming')!,
 *     }),
 *   }),
 * });
 */
export function golevelupConnections({
  publishing,
  consuming,
}: Record<'publishing' | 'consuming', AmqpConnection>): Connections {
  // A name for the broker that both lead to: each queue is declared once.
  const broker = randomUUID();
  return { publishing: connectionOf(publishing, broker), consuming: connectionOf(consuming, broker) };
}

/**
 * Lets golevelup's `AmqpConnection` make Mercury's connections: the option `link` of everything that takes a `rabbitUrl`. Only the
 * connection is used, and no static that two applications in one process would share.
 */
export const golevelupLink: MakeLink = (addresses, socketOptions, purpose) => {
  const amqp = new AmqpConnection({
    name: purpose,
    uri: [...addresses],
    connectionManagerOptions: { connectionOptions: socketOptions },
    // Only its connection is used: no channel setup to wait for, no consumers, and one voice about problems.
    connectionInitOptions: { wait: false, skipConnectionFailedLogging: true, skipDisconnectFailedLogging: true },
    enableDirectReplyTo: false,
    registerHandlers: false,
    logger: silent,
  });
  // Resolves only once the broker is there; the connection manager exists right away.
  void amqp.init().catch((error: unknown) => new Logger('Messaging').error(`golevelup: ${String(error)}`));
  return new OwnGolevelupLink(amqp.managedConnection);
};

class OwnGolevelupLink extends GolevelupLink {
  constructor(private readonly own: ManagedConnection) {
    super(own);
    let failures = 0;
    // Read by the manager right after these events, for its next wait.
    const onFailure = () => (own.reconnectTimeInSeconds = backoffMs(++failures, RECONNECT_CAP_MS) / 1_000);
    own.on('connectFailed', onFailure).on('disconnect', onFailure);
    own.on('connect', () => (failures = 0));
  }

  override async close(): Promise<void> {
    const { model } = this;
    await this.own.close();
    if (model) socketOf(model)?.destroy();
  }

  override destroy(reason: Error): void {
    if (this.model) socketOf(this.model)?.destroy(reason);
  }
}

function connectionOf(amqp: AmqpConnection, broker: string): Connection {
  return new Connection(new GolevelupLink(amqp.managedConnection), broker);
}

const silent = new (class extends Logger {
  override log(): void {}
  override warn(): void {}
  override error(): void {}
})();
