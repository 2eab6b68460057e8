import type { ConfirmChannel } from 'amqplib';
import { mostFrameBytes, writePublish, type Publication } from './frames';

const CHUNK_BYTES = 65_536;
/** AMQP 0-9-1, frame-min-size. Less, or 0 for no limit, is left to amqplib. */
const LEAST_FRAME_MAX = 4_096;

type ConfirmCallback = (nack: unknown) => void;

/** What is used of amqplib beside its documented interface. Tested with the one version that package.json names. */
interface ChannelInside {
  /** Its number. */
  ch: number;
  connection: {
    frameMax: number;
    /** Else the next heartbeat is sent although there was traffic. */
    sentSinceLastCheck: boolean;
    channels: ({ buffer: NodeJS.WritableStream } | null)[];
  };
  /** amqplib puts one that throws in its place when the channel or its connection closes. */
  sendMessage(): unknown;
  pushConfirmCallback(callback: ConfirmCallback): void;
}

/**
 * Publishes on a channel, several messages in one piece: those of one turn of the event loop are written as frames into one
 * buffer, which leaves before the loop goes on. amqplib makes objects, a header table and a buffer for each message, and passes
 * each through a stream of its own: half of what a publish costs.
 */
export class PublishChannel {
  private readonly inside: ChannelInside | undefined;
  private chunk = Buffer.alloc(0);
  /** What is written but has not left yet, of the chunk. */
  private from = 0;
  private end = 0;
  private isScheduled = false;

  constructor(readonly channel: ConfirmChannel) {
    this.inside = insideOf(channel);
  }

  /**
   * @param confirmed called with the broker's answer, or when the channel closes.
   * @throws what amqplib throws on a closed channel. @throws RangeError for what does not fit into the protocol.
   */
  publish(what: Publication, routingKey: string, confirmed: ConfirmCallback): void {
    const { inside } = this;
    if (!inside) {
      this.channel.publish(what.exchange, routingKey, what.content, what.properties, confirmed);
      return;
    }
    if (isClosing(inside)) inside.sendMessage();
    const { frameMax } = inside.connection;
    this.makeRoom(mostFrameBytes(what, routingKey, frameMax) + what.content.length);
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
    const { connection, ch } = inside;
    // Nothing may follow the close of a channel. What was written meanwhile will not be confirmed: the publisher knows that.
    if (!isClosing(inside)) {
      connection.sentSinceLastCheck = true;
      connection.channels[ch]?.buffer.write(this.chunk.subarray(this.from, this.end));
    }
    this.from = this.end;
  }
}

function isClosing(inside: ChannelInside): boolean {
  return Object.hasOwn(inside, 'sendMessage');
}

/** Undefined where the inside is another than the one that is known: then amqplib's own `publish` does it. */
function insideOf(channel: ConfirmChannel): ChannelInside | undefined {
  const inside = channel as unknown as Partial<ChannelInside>;
  const { ch, connection, sendMessage, pushConfirmCallback } = inside;
  const isKnown =
    typeof ch === 'number' &&
    typeof sendMessage === 'function' &&
    typeof pushConfirmCallback === 'function' &&
    typeof connection?.frameMax === 'number' &&
    connection.frameMax >= LEAST_FRAME_MAX &&
    connection.channels?.[ch]?.buffer !== undefined;
  return isKnown ? (inside as ChannelInside) : undefined;
}
