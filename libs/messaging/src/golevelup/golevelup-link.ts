import type { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import type { Link, LinkEvents } from '../broker/link';
import { BrokerError } from '../errors';
import { Events } from '../events';

/** What is used of amqp-connection-manager, which golevelup's AmqpConnection keeps. */
export type ManagedConnection = EventEmitter & {
  readonly connection: ChannelModel | undefined;
  reconnectTimeInSeconds: number;
  close(): Promise<void>;
};

const TOO_OLD =
  'The connections of golevelup run on an amqplib below 2.3, on which Mercury was never tested. With npm: npm install amqplib@~2.3.1. ' +
  'With pnpm, in pnpm-workspace.yaml: overrides: { amqplib: "~2.3.1" }';

/** The connection of one of golevelup's AmqpConnections: when and how it comes back is up to its manager. */
export class GolevelupLink implements Link {
  readonly events = new Events<LinkEvents>();

  constructor(private readonly manager: ManagedConnection) {
    manager.on('connect', () => {
      const { model } = this;
      if (model) this.events.emit('up', model);
      else this.refuse();
    });
    manager.on('connectFailed', ({ err }: { err: unknown }) => this.events.emit('failed', err));
    manager.on('disconnect', ({ err }: { err: unknown }) => this.events.emit('down', err));
    manager.on('blocked', ({ reason }: { reason: string }) => this.events.emit('blocked', reason));
    manager.on('unblocked', () => this.events.emit('unblocked'));
  }

  get model(): ChannelModel | undefined {
    const { connection } = this.manager;
    return connection && isNewEnough(connection) ? connection : undefined;
  }

  /** It connects by itself, and may have done so before anybody listened. */
  open(): void {
    if (this.manager.connection && !this.model) this.refuse();
  }

  /** It is the application's. */
  async close(): Promise<void> {}

  destroy(_reason: Error): void {}

  private refuse(): void {
    this.events.emit('failed', new BrokerError('AMQPLIB_TOO_OLD', TOO_OLD));
  }
}

/** Its package.json cannot be read from outside: what came with 2.3.0 is looked for in the connection that is really used. */
function isNewEnough(model: ChannelModel): boolean {
  const { maxFrameSize } = model.connection as { maxFrameSize?: unknown };
  return typeof maxFrameSize === 'number';
}
