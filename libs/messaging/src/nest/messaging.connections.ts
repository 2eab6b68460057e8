import { Inject, Injectable, Logger } from '@nestjs/common';
import { Connection } from '../broker/connection';
import { ConnectionPair, reportProblems } from '../broker/connections';
import { resolveBroker, type ResolvedBroker } from '../broker/options';
import type { Clock } from '../clock';
import { MESSAGING_OPTIONS, type MessagingModuleOptions } from './messaging.options';

/** The application's two connections, shared by its clients, workers and loggers, each opened when first used. */
@Injectable()
export class MessagingConnections extends ConnectionPair {
  private readonly log = new Logger('Messaging');
  private readonly broker: ResolvedBroker;
  /** Each ends what is told of a connection. */
  private readonly telling: (() => void)[] = [];

  /** @throws ConfigError `CONFIG_INVALID` for a URL that is none. */
  constructor(@Inject(MESSAGING_OPTIONS) options: MessagingModuleOptions) {
    super();
    this.broker = resolveBroker(options);
  }

  get clock(): Clock | undefined {
    return this.broker.connections?.clock;
  }

  /** Those that were given are closed by who gave them. */
  override async close(): Promise<void> {
    for (const end of this.telling.splice(0)) end();
    if (!this.broker.connections) await super.close();
  }

  protected override open(purpose: 'publishing' | 'consuming'): Connection {
    const { connections } = this.broker;
    const connection = connections ? connections[purpose] : Connection.open(this.broker, purpose);
    const onUp = () => this.log.log(`Connected to the broker for ${purpose}`);
    connection.events.on('up', onUp);
    const end = reportProblems(connection, (problem) => this.log.warn(`${purpose}: ${problem.message}`));
    this.telling.push(end, () => void connection.events.off('up', onUp));
    return connection;
  }
}
