import type { ChannelModel } from 'amqplib';
import type { Link, LinkEvents } from '../../libs/messaging/src/broker/link';
import { socketOf } from '../../libs/messaging/src/broker/socket';
import { Events } from '../../libs/messaging/src/events';

/** A link that goes up and down when a test says so. */
export class FakeLink implements Link {
  readonly events = new Events<LinkEvents>();
  model: ChannelModel | undefined;
  opens = 0;
  closes = 0;
  whenClosed: Promise<void> = Promise.resolve();

  open(): void {
    this.opens += 1;
  }

  /** @param model what is used of amqplib's. */
  connect(model: object = {}): void {
    this.model = model as ChannelModel;
    this.events.emit('up', this.model);
  }

  lose(cause?: unknown): void {
    this.model = undefined;
    this.events.emit('down', cause);
  }

  destroy(reason: Error): void {
    if (this.model) socketOf(this.model)?.destroy(reason);
  }

  async close(): Promise<void> {
    this.closes += 1;
    await this.whenClosed;
  }
}
