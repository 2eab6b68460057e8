import type { ConfirmChannel } from 'amqplib';
import {
  frameMaxOf,
  insideOf,
  isClosing,
  writeFrames,
  type ChannelInside,
  type ConfirmCallback,
} from './channel-inside';
import { UnwritableError } from './field-table';
import { bodyFrameBytes, headerFrameBytes, mostHeadBytes, writePublish, type Publication } from './frames';

const CHUNK_BYTES = 65_536;

/**
 * Publishes on a channel, several messages in one piece: those of one turn of the event loop are written as frames into one
 * buffer, which leaves before the loop goes on. amqplib makes objects, a header table and a buffer for each message, and passes
 * each through a stream of its own: half of what a publish costs.
 */
export class PublishChannel {
  private readonly inside: ChannelInside | undefined;
  private readonly frameMax: number;
  private chunk = Buffer.alloc(0);
  /** What is written but has not left yet, of the chunk. */
  private from = 0;
  private end = 0;
  private isScheduled = false;

  constructor(readonly channel: ConfirmChannel) {
    this.inside = insideOf(channel);
    this.frameMax = frameMaxOf(channel) ?? Infinity;
  }

  /**
   * @param confirmed called with the broker's answer, or when the channel closes.
   * @throws what amqplib throws on a closed channel. @throws UnwritableError for what does not fit into the protocol.
   */
  publish(message: Publication, routingKey: string, confirmed: ConfirmCallback): void {
    const { inside, frameMax } = this;
    const mostBytes = mostHeadBytes(message, routingKey);
    // Of more than half a frame a part may be somebody's that is too large.
    const what = message.fit && mostBytes > frameMax / 2 ? fitted(message, message.fit, frameMax) : message;
    if (!inside) {
      checkFits(what, mostBytes, frameMax);
      this.channel.publish(what.exchange, routingKey, what.content, what.properties, confirmed);
      return;
    }
    if (isClosing(inside)) inside.sendMessage();
    const { content } = what;
    this.makeRoom(mostBytes + bodyFrameBytes(content, frameMax) + content.length);
    this.end = writePublish(this.chunk, this.end, inside.ch, what, routingKey, frameMax);
    inside.pushConfirmCallback(confirmed);
    if (this.isScheduled) return;
    this.isScheduled = true;
    process.nextTick(() => this.leave());
  }

  private makeRoom(bytes: number): void {
    if (this.end + bytes <= this.chunk.length) return;
    this.send();
    this.chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes));
    this.from = 0;
    this.end = 0;
  }

  private leave(): void {
    this.isScheduled = false;
    this.send();
  }

  private send(): void {
    const { inside } = this;
    if (!inside || this.end === this.from) return;
    // Nothing may follow the close of a channel. What was written meanwhile will not be confirmed: the publisher knows that.
    if (!isClosing(inside)) writeFrames(inside, this.chunk.subarray(this.from, this.end));
    this.from = this.end;
  }
}

function fitted(message: Publication, fit: NonNullable<Publication['fit']>, frameMax: number): Publication {
  return { ...message, properties: fit(message.properties, frameMax) };
}

/** amqplib would write a frame that ends the connection with all that is on it. */
function checkFits({ properties }: Publication, mostBytes: number, frameMax: number): void {
  if (mostBytes <= frameMax) return;
  const bytes = headerFrameBytes(properties);
  if (bytes > frameMax) throw new UnwritableError(`The properties take ${bytes} bytes; a frame has ${frameMax}.`);
}
