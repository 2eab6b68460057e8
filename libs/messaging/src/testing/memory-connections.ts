import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import type { Clock } from '../clock';
import { Connection, ConnectionPair, type ConnectionManager } from '../connection';
import type { VirtualHost } from './broker/virtual-host';
import { MemoryChannel, type ChannelHost } from './memory-channel';

/** What the connections ask of their broker. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly virtualHost: VirtualHost;
  later(work: () => void): void;
}

/**
 * The connections of one program to a MemoryBroker, for the `connections` of clients, workers, loggers and all else, or
 * in Nest in place of `MessagingConnections`.
 */
export class MemoryConnections extends ConnectionPair {
  private readonly links = new Set<Link>();

  constructor(private readonly host: ConnectionHost) {
    super();
  }

  get clock(): Clock {
    return this.host.clock;
  }

  /**
   * Cuts the connections, as a crash or a pulled cable does: what was delivered and not settled comes again, to whoever
   * consumes then. They come back at once.
   */
  cut(): void {
    for (const link of this.links) link.cut();
  }

  protected override open(): Connection {
    const link = new Link(this.host);
    this.links.add(link);
    return new Connection(link);
  }
}

/** One connection, in the place of amqp-connection-manager: it is always there, or comes back at once. */
class Link extends EventEmitter implements ConnectionManager, ChannelHost {
  reconnectTimeInSeconds = 0;
  private readonly channels = new Set<MemoryChannel>();
  private isClosed = false;

  constructor(private readonly host: ConnectionHost) {
    super();
  }

  get virtualHost(): VirtualHost {
    return this.host.virtualHost;
  }

  get connection(): ChannelModel | undefined {
    if (this.isClosed) return undefined;
    const createConfirmChannel = async () => this.openChannel();
    // Of a ChannelModel Mercury uses this alone, and of its channels what a MemoryChannel has.
    return { createConfirmChannel } as unknown as ChannelModel;
  }

  later(work: () => void): void {
    this.host.later(work);
  }

  isConnected(): boolean {
    return !this.isClosed;
  }

  closed(channel: MemoryChannel): void {
    this.channels.delete(channel);
  }

  cut(): void {
    if (this.isClosed) return;
    this.end();
    this.emit('disconnect', { err: new Error('The connection was cut.') });
    this.later(() => this.emit('connect', {}));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.end();
  }

  private openChannel(): MemoryChannel {
    const channel = new MemoryChannel(this);
    this.channels.add(channel);
    return channel;
  }

  private end(): void {
    for (const channel of this.channels) channel.end();
    this.virtualHost.disconnect(this);
  }
}
