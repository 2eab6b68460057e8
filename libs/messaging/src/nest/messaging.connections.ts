import { Inject, Injectable, Logger } from '@nestjs/common';
import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { addressesOf } from '../broker/broker-url';
import { brokerOf, Connection, managerOptions, shuffled } from '../broker/connection';
import { ConnectionPair, reportProblems } from '../broker/connections';
import { resolveBroker, type ResolvedBroker } from '../broker/options';
import { MESSAGING_OPTIONS, type MessagingModuleOptions } from './messaging.options';

/**
 * The application's two connections, shared by its clients, workers and loggers, each opened when first used. They are
 * golevelup's AmqpConnections, built one by one: its module keeps statics that two Nest apps in one process would share.
 */
@Injectable()
export class MessagingConnections extends ConnectionPair {
  private readonly log = new Logger('Messaging');
  private readonly broker: ResolvedBroker;

  /** @throws ConfigError `CONFIG_INVALID` for a URL that is none. */
  constructor(@Inject(MESSAGING_OPTIONS) options: MessagingModuleOptions) {
    super();
    this.broker = resolveBroker(options);
  }

  protected override open(purpose: string): Connection {
    const amqp = new AmqpConnection({
      name: purpose,
      uri: shuffled(addressesOf(this.broker.urls)),
      connectionManagerOptions: managerOptions(purpose, this.broker.tls),
      // Only its connection is used: no channel setup to wait for, no consumers, and one voice about problems.
      connectionInitOptions: { wait: false, skipConnectionFailedLogging: true, skipDisconnectFailedLogging: true },
      enableDirectReplyTo: false,
      registerHandlers: false,
      logger: silent,
    });
    // Resolves only once the broker is there; the connection manager exists right away.
    void amqp.init().catch((error: unknown) => this.log.error(`golevelup could not start: ${String(error)}`));
    const connection = new Connection(amqp.managedConnection, undefined, brokerOf(this.broker.urls));
    connection.events.on('up', () => this.log.log(`Connected to the broker for ${purpose}`));
    reportProblems(connection, (problem) => this.log.warn(`${purpose}: ${problem.message}`));
    return connection;
  }
}

const silent = new (class extends Logger {
  override log(): void {}
  override warn(): void {}
  override error(): void {}
})();
