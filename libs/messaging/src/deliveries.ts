import type { ConfirmChannel, Message } from 'amqplib';

/** What it takes to tell the broker how a delivery ended. */
export type AckChannel = Pick<ConfirmChannel, 'ack' | 'nack'>;

/** A message as it arrived, with the only channel on which it may be acked. */
export interface Delivery {
  message: Message;
  channel: AckChannel;
  /** Aborts when that channel is lost: the broker then gives the message to somebody else. */
  lost: AbortSignal;
}

/**
 * The deliveries of one channel. Their acks take as few messages as they need: what has ended by the end of a turn is told
 * at once, and a run that reaches back to the oldest open delivery is one ack. Nothing is acked that has not ended, because
 * such a run ends before the oldest that is still open. So every message of the channel has to come by here.
 */
export class Deliveries implements AckChannel {
  /** Delivery tags, ascending: so they are delivered (AMQP 0-9-1, delivery-tag). */
  private readonly open = new Set<number>();
  private ended: Message[] = [];
  private isScheduled = false;

  constructor(
    private readonly channel: AckChannel,
    private readonly lost: AbortSignal,
  ) {}

  of(message: Message): Delivery {
    this.open.add(message.fields.deliveryTag);
    return { message, channel: this, lost: this.lost };
  }

  ack(message: Message): void {
    this.open.delete(message.fields.deliveryTag);
    this.ended.push(message);
    if (this.isScheduled) return;
    this.isScheduled = true;
    // Behind what ends in the same turn, and before anything that waits for this one's end, such as closing the channel.
    queueMicrotask(() => this.tell());
  }

  nack(message: Message, allUpTo: false, requeue: boolean): void {
    this.open.delete(message.fields.deliveryTag);
    this.channel.nack(message, allUpTo, requeue);
  }

  private tell(): void {
    this.isScheduled = false;
    const [oldestOpen = Infinity] = this.open;
    let last: Message | undefined;
    try {
      for (const message of this.ended.splice(0)) {
        const { deliveryTag } = message.fields;
        if (deliveryTag > oldestOpen) this.channel.ack(message);
        else if (deliveryTag > (last?.fields.deliveryTag ?? 0)) last = message;
      }
      if (last) this.channel.ack(last, true);
    } catch {
      // The channel is closed: its deliveries are back in the queue, so there is nothing to save.
    }
  }
}
