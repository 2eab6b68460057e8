import type { Options } from 'amqplib';
import { UnwritableError, fieldBytes, valueBytes, writeInteger64, writeShortString, writeTable } from './field-table';

/** The properties that Mercury's messages have, and no others: what is not written here would be lost without a word. */
export type PublishProperties = Pick<
  Options.Publish,
  | 'contentType'
  | 'contentEncoding'
  | 'headers'
  | 'priority'
  | 'correlationId'
  | 'replyTo'
  | 'messageId'
  | 'timestamp'
  | 'type'
  | 'appId'
  | 'mandatory'
> & { deliveryMode?: 1 | 2 };

/** What is published. */
export interface Publication {
  exchange: string;
  properties: PublishProperties;
  content: Buffer;
  /** Asked when the properties may be too large for a frame of so many bytes: gives those that are sent, or throws UnwritableError. */
  fit?: (properties: PublishProperties, frameMax: number) => PublishProperties;
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
/** Length of the name, type and length of the value, or the value itself. */
const BYTES_PER_HEADER = 16;
/** Class, weight, size of the content, flags. */
const HEADER_FIXED_BYTES = 14;
const NO_HEADERS = {};

/** Which of the properties there are (AMQP 0-9-1, section 4.2.6.1, in the order in which they are written). */
const FLAG = {
  contentType: 1 << 15,
  contentEncoding: 1 << 14,
  headers: 1 << 13,
  deliveryMode: 1 << 12,
  priority: 1 << 11,
  correlationId: 1 << 10,
  replyTo: 1 << 9,
  messageId: 1 << 7,
  timestamp: 1 << 6,
  type: 1 << 5,
  appId: 1 << 3,
};

/** So many bytes the method and the header frame of a publish need at most. Cheap: it is asked for each message. */
export function mostHeadBytes({ exchange, properties }: Publication, routingKey: string): number {
  const { contentType, contentEncoding, correlationId, replyTo, messageId, type, appId } = properties;
  let characters = exchange.length + routingKey.length;
  characters += (contentType?.length ?? 0) + (contentEncoding?.length ?? 0) + (messageId?.length ?? 0);
  characters += (correlationId?.length ?? 0) + (replyTo?.length ?? 0) + (type?.length ?? 0) + (appId?.length ?? 0);
  let headers = 0;
  let nested = 0;
  const values = (properties.headers ?? NO_HEADERS) as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(values)) {
    const value = values[name];
    headers += 1;
    characters += name.length;
    if (typeof value === 'string') characters += value.length;
    else if (typeof value === 'object') nested += valueBytes(value);
  }
  return FIXED_BYTES + characters * MOST_BYTES_PER_CHARACTER + headers * BYTES_PER_HEADER + nested;
}

/** So many bytes the frames of a content need beside it. */
export function bodyFrameBytes(content: Buffer, frameMax: number): number {
  return Math.ceil(content.length / (frameMax - FRAME_BYTES)) * FRAME_BYTES;
}

/** Exactly so many bytes the header frame takes that tells these properties. The protocol cannot split it. */
export function headerFrameBytes(properties: PublishProperties): number {
  const { contentType, contentEncoding, correlationId, replyTo, messageId, type, appId } = properties;
  let bytes = FRAME_BYTES + HEADER_FIXED_BYTES;
  for (const text of [contentType, contentEncoding, correlationId, replyTo, messageId, type, appId]) {
    if (text !== undefined) bytes += 1 + Buffer.byteLength(text);
  }
  if (properties.deliveryMode !== undefined) bytes += 1;
  if (properties.priority !== undefined) bytes += 1;
  if (properties.timestamp !== undefined) bytes += 8;
  const headers = properties.headers as Readonly<Record<string, unknown>> | undefined;
  if (headers) for (const name of Object.keys(headers)) bytes += fieldBytes(name, headers[name]);
  return headers ? bytes + 4 : bytes;
}

/**
 * Writes a publish as the protocol wants it: method, header and body frames (AMQP 0-9-1, basic.publish). Only properties that
 * Mercury uses. Returns where it ends.
 * @throws UnwritableError for a text that is too long for its field, or headers that do not fit into a frame.
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
    throw new UnwritableError(`The properties take ${headerEnd - end} bytes; a frame has ${frameMax}.`);
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
  const { contentType, contentEncoding, deliveryMode, priority, correlationId, replyTo } = properties;
  const { messageId, timestamp, type, appId } = properties;
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
    end = writeTable(target, end, headers);
  }
  if (deliveryMode !== undefined) {
    flags |= FLAG.deliveryMode;
    target[end++] = deliveryMode;
  }
  if (priority !== undefined) {
    flags |= FLAG.priority;
    target[end++] = priority;
  }
  if (correlationId !== undefined) {
    flags |= FLAG.correlationId;
    end = writeShortString(target, end, correlationId);
  }
  if (replyTo !== undefined) {
    flags |= FLAG.replyTo;
    end = writeShortString(target, end, replyTo);
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
