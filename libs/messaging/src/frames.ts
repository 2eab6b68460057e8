import type { Options } from 'amqplib';

/** The properties that Mercury's messages have, and no others: what is not written here would be lost without a word. */
export type PublishProperties = Pick<
  Options.Publish,
  'contentType' | 'contentEncoding' | 'headers' | 'messageId' | 'timestamp' | 'type' | 'appId' | 'mandatory'
> & { deliveryMode?: 1 | 2 };

/** What is published. */
export interface Publication {
  exchange: string;
  properties: PublishProperties;
  content: Buffer;
}

const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;
const FRAME_END = 0xce;
/** Type, channel and size before a frame's payload, and the end mark after it. */
const FRAME_BYTES = 8;
const BASIC_CLASS = 60;
const PUBLISH_METHOD = 40;
const ACK_METHOD = 80;
/** Of an ack, whatever it acks. */
export const ACK_FRAME_BYTES = 21;
/** So many bytes the longest character takes in UTF-8, for one of JavaScript's. */
const MOST_BYTES_PER_CHARACTER = 3;
/** Everything but the texts: frames, flags, lengths, numbers. */
const FIXED_BYTES = 128;
const BYTES_PER_HEADER = 16;
const LONGEST_SHORT_STRING = 255;
const NO_HEADERS = {};

/** Which of the properties there are (AMQP 0-9-1, section 4.2.6.1, in the order in which they are written). */
const FLAG = {
  contentType: 1 << 15,
  contentEncoding: 1 << 14,
  headers: 1 << 13,
  deliveryMode: 1 << 12,
  messageId: 1 << 7,
  timestamp: 1 << 6,
  type: 1 << 5,
  appId: 1 << 3,
};

/** So many bytes the frames of a publish need at most, but for its content. */
export function mostFrameBytes(what: Publication, routingKey: string, frameMax: number): number {
  const { exchange, properties, content } = what;
  const { contentType, contentEncoding, messageId, type, appId } = properties;
  let characters = exchange.length + routingKey.length;
  characters += (contentType?.length ?? 0) + (contentEncoding?.length ?? 0) + (messageId?.length ?? 0);
  characters += (type?.length ?? 0) + (appId?.length ?? 0);
  let headers = 0;
  const values = (properties.headers ?? NO_HEADERS) as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(values)) {
    const value = values[name];
    headers += 1;
    characters += name.length + (typeof value === 'string' ? value.length : 0);
  }
  const bodyFrames = Math.ceil(content.length / (frameMax - FRAME_BYTES));
  return FIXED_BYTES + characters * MOST_BYTES_PER_CHARACTER + headers * BYTES_PER_HEADER + bodyFrames * FRAME_BYTES;
}

/**
 * Writes a publish as the protocol wants it: method, header and body frames (AMQP 0-9-1, basic.publish). Only properties that
 * Mercury uses. Returns where it ends.
 * @throws RangeError for a text that is too long for its field, or headers that do not fit into a frame.
 */
export function writePublish(
  target: Buffer,
  start: number,
  channel: number,
  what: Publication,
  routingKey: string,
  frameMax: number,
): number {
  const { exchange, properties, content } = what;
  const method = beginFrame(target, start, METHOD_FRAME, channel);
  target.writeUInt32BE((BASIC_CLASS << 16) | PUBLISH_METHOD, method);
  target.writeUInt16BE(0, method + 4);
  let end = writeShortString(target, method + 6, exchange);
  end = writeShortString(target, end, routingKey);
  target[end] = properties.mandatory ? 1 : 0;
  end = endFrame(target, start, end + 1);

  const header = beginFrame(target, end, HEADER_FRAME, channel);
  target.writeUInt16BE(BASIC_CLASS, header);
  target.writeUInt16BE(0, header + 2);
  target.writeUInt32BE(0, header + 4);
  target.writeUInt32BE(content.length, header + 8);
  const headerEnd = endFrame(target, end, writeProperties(target, header + 12, properties));
  if (headerEnd - end > frameMax)
    throw new RangeError(`The properties take ${headerEnd - end} bytes; a frame has ${frameMax}.`);
  end = headerEnd;

  const mostPerFrame = frameMax - FRAME_BYTES;
  for (let offset = 0; offset < content.length; offset += mostPerFrame) {
    const body = beginFrame(target, end, BODY_FRAME, channel);
    const copied = content.copy(target, body, offset, Math.min(offset + mostPerFrame, content.length));
    end = endFrame(target, end, body + copied);
  }
  return end;
}

/** Writes an ack, of one delivery or of all up to it (AMQP 0-9-1, basic.ack). Returns where it ends. */
export function writeAck(
  target: Buffer,
  start: number,
  channel: number,
  deliveryTag: number,
  allUpTo: boolean,
): number {
  const method = beginFrame(target, start, METHOD_FRAME, channel);
  target.writeUInt32BE((BASIC_CLASS << 16) | ACK_METHOD, method);
  target.writeUInt32BE(Math.floor(deliveryTag / 2 ** 32), method + 4);
  target.writeUInt32BE(deliveryTag % 2 ** 32, method + 8);
  target[method + 12] = allUpTo ? 1 : 0;
  return endFrame(target, start, method + 13);
}

function beginFrame(target: Buffer, start: number, type: number, channel: number): number {
  target[start] = type;
  target.writeUInt16BE(channel, start + 1);
  return start + FRAME_BYTES - 1;
}

function endFrame(target: Buffer, start: number, end: number): number {
  target.writeUInt32BE(end - start - (FRAME_BYTES - 1), start + 3);
  target[end] = FRAME_END;
  return end + 1;
}

function writeProperties(target: Buffer, start: number, properties: PublishProperties): number {
  const { contentType, contentEncoding, deliveryMode, messageId, timestamp, type, appId } = properties;
  const headers = properties.headers as Readonly<Record<string, unknown>> | undefined;
  let flags = 0;
  let end = start + 2;
  if (contentType !== undefined) {
    flags |= FLAG.contentType;
    end = writeShortString(target, end, contentType);
  }
  if (contentEncoding !== undefined) {
    flags |= FLAG.contentEncoding;
    end = writeShortString(target, end, contentEncoding);
  }
  if (headers !== undefined) {
    flags |= FLAG.headers;
    end = writeHeaders(target, end, headers);
  }
  if (deliveryMode !== undefined) {
    flags |= FLAG.deliveryMode;
    target[end++] = deliveryMode;
  }
  if (messageId !== undefined) {
    flags |= FLAG.messageId;
    end = writeShortString(target, end, messageId);
  }
  if (timestamp !== undefined) {
    flags |= FLAG.timestamp;
    end = writeInteger64(target, end, timestamp);
  }
  if (type !== undefined) {
    flags |= FLAG.type;
    end = writeShortString(target, end, type);
  }
  if (appId !== undefined) {
    flags |= FLAG.appId;
    end = writeShortString(target, end, appId);
  }
  target.writeUInt16BE(flags, start);
  return end;
}

function writeHeaders(target: Buffer, start: number, headers: Readonly<Record<string, unknown>>): number {
  let end = start + 4;
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) end = writeHeaderValue(target, writeShortString(target, end, name), value);
  }
  target.writeUInt32BE(end - start - 4, start);
  return end;
}

/** Numbers in the smallest type that holds them, as amqplib writes them: it is what readers have seen so far. */
function writeHeaderValue(target: Buffer, start: number, value: unknown): number {
  if (typeof value === 'string') return writeLongString(target, tag(target, start, 'S'), value);
  if (typeof value === 'boolean') return target.writeUInt8(value ? 1 : 0, tag(target, start, 't'));
  if (typeof value !== 'number') throw new RangeError(`A header cannot be of type ${typeof value}.`);
  if (!Number.isSafeInteger(value)) return target.writeDoubleBE(value, tag(target, start, 'd'));
  if (value >= -0x80 && value < 0x80) return target.writeInt8(value, tag(target, start, 'b'));
  if (value >= -0x8000 && value < 0x8000) return target.writeInt16BE(value, tag(target, start, 's'));
  if (value >= -0x80000000 && value < 0x80000000) return target.writeInt32BE(value, tag(target, start, 'I'));
  return writeInteger64(target, tag(target, start, 'l'), value);
}

function tag(target: Buffer, start: number, type: string): number {
  target[start] = type.charCodeAt(0);
  return start + 1;
}

/** In two halves: a BigInt would cost more than all the rest. */
function writeInteger64(target: Buffer, start: number, value: number): number {
  target.writeInt32BE(Math.floor(value / 0x1_0000_0000), start);
  return target.writeUInt32BE(value >>> 0, start + 4);
}

function writeShortString(target: Buffer, start: number, text: string): number {
  const end = writeText(target, start + 1, text);
  const bytes = end - start - 1;
  if (bytes > LONGEST_SHORT_STRING)
    throw new RangeError(`A text of ${bytes} bytes does not fit into ${LONGEST_SHORT_STRING}.`);
  target[start] = bytes;
  return end;
}

function writeLongString(target: Buffer, start: number, text: string): number {
  const end = start + 4 + target.write(text, start + 4);
  target.writeUInt32BE(end - start - 4, start);
  return end;
}

/** Most are short and ASCII: then this is faster than to leave JavaScript. */
function writeText(target: Buffer, start: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f || index === LONGEST_SHORT_STRING) return start + target.write(text, start);
    target[start + index] = code;
  }
  return start + text.length;
}
