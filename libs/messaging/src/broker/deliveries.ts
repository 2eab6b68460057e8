import type { ConfirmChannel, Message } from 'amqplib';
import { delay } from '../timing';
import { insideOf, isClosing, writeFrames } from './channel-inside';
import { ACK_FRAME_BYTES, writeAck } from './frames';

/** What it takes to tell the broker how a delivery ended. */
export type AckChannel = Pick<ConfirmChannel, 'ack' | 'nack'>;

/** A message as it arrived, with the only channel on which it may be acked. */
export interface Delivery {
  message: Message;
  channel: AckChannel;
  /** Aborts when that channel is lost: the broker then gives the message to somebody else. */
  lost: AbortSignal;
}

/** While it drains, so often is the broker told what has ended, and in so many acks beside the one for all before the oldest. */
const TELL_EVERY_MS = 100;
const MOST_SINGLE_ACKS = 24;
const NEVER = new AbortController().signal;

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
  private isDraining = false;
  private timer: NodeJS.Timeout | undefined;

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
    if (this.isDraining && this.open.size > 0) {
      this.timer ??= setTimeout(() => this.tell(), TELL_EVERY_MS);
    } else if (!this.isScheduled) {
      this.isScheduled = true;
      // Behind what ends in the same turn, and before anything that waits for this one's end, such as closing the channel.
      queueMicrotask(() => this.tell());
    }
  }

  nack(message: Message, allUpTo: false, requeue: boolean): void {
    this.open.delete(message.fields.deliveryTag);
    this.channel.nack(message, allUpTo, requeue);
  }

  /**
   * The worker takes no more. From now on acks are few: RabbitMQ holds them back on the channel while more than 32 are under
   * way to a quorum queue, and drops what it holds when the channel closes (rabbit_fifo_client, 4.3: `slow`). Tasks that
   * have succeeded would come again.
   */
  drain(): void {
    this.isDraining = true;
  }

  /**
   * Resolves once the broker was told of everything that has ended, so that the channel can be closed. In portions as
   * before: one may just have left.
   */
  async finish(): Promise<void> {
    this.isDraining = true;
    while (this.ended.length > 0) {
      clearTimeout(this.timer);
      await delay(TELL_EVERY_MS, NEVER);
      this.tell();
    }
    clearTimeout(this.timer);
  }

  private tell(): void {
    this.isScheduled = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.ended.length === 0) return;
    const [oldestOpen = Infinity] = this.open;
    const isLater = ({ fields }: Message) => fields.deliveryTag > oldestOpen;
    const later = this.ended.filter(isLater);
    const last = latestOf(this.ended.filter((message) => !isLater(message)));
    const single = this.isDraining ? later.splice(0, MOST_SINGLE_ACKS) : later.splice(0);
    this.ended = later;
    try {
      sendAcks(this.channel, single, last);
    } catch {
      // The channel is closed: its deliveries are back in the queue, so there is nothing to save.
      this.ended = [];
    }
    if (this.ended.length > 0) this.timer = setTimeout(() => this.tell(), TELL_EVERY_MS);
  }
}

/** In one piece: one ack for each of `single`, and one for all up to `last`. @throws what amqplib throws on a closed channel. */
function sendAcks(channel: AckChannel, single: readonly Message[], last: Message | undefined): void {
  const inside = insideOf(channel);
  if (!inside || isClosing(inside)) {
    for (const message of single) channel.ack(message);
    if (last) channel.ack(last, true);
    return;
  }
  const frames = Buffer.allocUnsafe((single.length + 1) * ACK_FRAME_BYTES);
  let end = 0;
  for (const { fields } of single) end = writeAck(frames, end, inside.ch, fields.deliveryTag, false);
  if (last) end = writeAck(frames, end, inside.ch, last.fields.deliveryTag, true);
  writeFrames(inside, frames.subarray(0, end));
}

function latestOf(messages: readonly Message[]): Message | undefined {
  let latest = messages[0];
  for (const message of messages) if (message.fields.deliveryTag > (latest?.fields.deliveryTag ?? 0)) latest = message;
  return latest;
}
