import type { ChannelModel } from 'amqplib';
import { Connection } from '../broker/connection';
import { ConnectionPair } from '../broker/connections';
import type { Link, LinkEvents } from '../broker/link';
import type { Clock } from '../clock';
import { Events } from '../events';
import { MemoryChannel, type ChannelHost } from './memory-channel';

/**
 * The connections of one program to a MemoryBroker, for the `connections` of clients, workers, loggers and all else, or
 * in Nest in place of `MessagingConnections`.
 */
export class MemoryConnections extends ConnectionPair {
  private readonly links = new Set<MemoryLink>();

  constructor(private readonly host: ChannelHost) {
    super();
  }

  get clock(): Clock {
    return this.host.virtualHost.clock;
  }

  /**
   * Cuts the connections, as a crash or a pulled cable does: what was delivered and not settled comes again, to whoever
   * consumes then. They come back at once, and whoever consumed does so again a moment later: `untilIdle` and `advance` wait
   * for that.
   */
  cut(): void {
    for (const link of this.links) link.cut();
  }

  protected override open(): Connection {
    const link = new MemoryLink(this.host);
    this.links.add(link);
    return new Connection(link);
  }
}

/** It is always there, or comes back at once. */
class MemoryLink implements Link {
  readonly events = new Events<LinkEvents>();
  private readonly channels = new Set<MemoryChannel>();
  private isClosed = false;

  constructor(private readonly host: ChannelHost) {}

  get model(): ChannelModel | undefined {
    return this.isClosed ? undefined : this.ownModel;
  }

  open(): void {}

  cut(): void {
    if (this.isClosed) return;
    const { lostConsumers } = this.host.virtualHost;
    for (const { consumedQueues } of this.channels) for (const queue of consumedQueues) lostConsumers.add(this, queue);
    this.end();
    this.events.emit('down', new Error('The connection was cut.'));
    this.host.later(() => this.events.emit('up', this.ownModel));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.end();
    this.host.virtualHost.lostConsumers.forget(this);
  }

  /** Of a ChannelModel Mercury uses this alone, and of its channels what a MemoryChannel has. */
  private get ownModel(): ChannelModel {
    return { createConfirmChannel: async () => this.openChannel() } as unknown as ChannelModel;
  }

  destroy(): void {}

  private openChannel(): MemoryChannel {
    const channel = new MemoryChannel(this.host, this, () => this.channels.delete(channel));
    this.channels.add(channel);
    return channel;
  }

  private end(): void {
    for (const channel of this.channels) channel.end();
    this.host.virtualHost.disconnect(this);
  }
}
