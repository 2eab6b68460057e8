/** AMQP 0-9-1, frame-min-size. Less is left to amqplib. */
const LEAST_FRAME_MAX = 4_096;

export type ConfirmCallback = (nack: unknown) => void;

/** What is used of amqplib beside its documented interface. Tested with the one version that package.json names. */
export interface ChannelInside {
  /** Its number. */
  ch: number;
  connection: {
    frameMax: number;
    /** Else the next heartbeat is sent although there was traffic. */
    sentSinceLastCheck: boolean;
    channels: ({ buffer: NodeJS.WritableStream } | null)[];
  };
  /** amqplib puts one that throws in its place when the channel closes. */
  sendMessage(): unknown;
  pushConfirmCallback(callback: ConfirmCallback): void;
}

/** Undefined where the inside is another than the one that is known: then amqplib's own methods do it. */
export function insideOf(channel: object): ChannelInside | undefined {
  const inside = channel as Partial<ChannelInside>;
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

/** What follows the close of a channel or its connection is against the protocol. amqplib then replaces their methods. */
export function isClosing(inside: ChannelInside): boolean {
  return Object.hasOwn(inside, 'sendMessage') || Object.hasOwn(inside.connection, 'sendMethod');
}

/** What a frame may hold at most, as was negotiated; undefined where amqplib does not tell. */
export function frameMaxOf(owner: object): number | undefined {
  const { connection } = owner as { connection?: { frameMax?: unknown } };
  return typeof connection?.frameMax === 'number' ? connection.frameMax : undefined;
}

export function writeFrames({ connection, ch }: ChannelInside, frames: Buffer): void {
  connection.sentSinceLastCheck = true;
  connection.channels[ch]?.buffer.write(frames);
}
