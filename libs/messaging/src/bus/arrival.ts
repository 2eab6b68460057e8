import type { Message } from 'amqplib';
import { EXCHANGE } from '../broker/topology';
import { HEADER } from '../headers';
import { isShortString } from '../tasks/field-checks';

/** By these a message comes that was in the subscription's queues before: the default exchange, and our own. */
const OWN_WAYS: ReadonlySet<string> = new Set(['', ...Object.values(EXCHANGE)]);
/** Of our headers those that speak of the event itself, and not of what became of it somewhere. */
const OF_THE_EVENT: ReadonlySet<string> = new Set([HEADER.traceparent, HEADER.publisher, HEADER.sequence]);
const OF_A_PAST = Object.values(HEADER).filter((name) => !OF_THE_EVENT.has(name));

/**
 * An event as a task of a durable subscription: its key in a header, as the routing key is the queue's after a retry or a replay, and
 * a type, by which its failures are told. One that comes from the bus has no past here: whoever passes an event on
 * passes on its headers, too.
 * @param bus names the type of an event without a key.
 */
export function asTask(message: Message, bus: string): Message {
  const { exchange, routingKey } = message.fields;
  const headers: Record<string, unknown> = { ...message.properties.headers };
  const isFresh = !OWN_WAYS.has(exchange);
  if (isFresh) for (const name of OF_A_PAST) delete headers[name];
  const known = headers[HEADER.eventKey];
  const key = isShortString(known) ? known : routingKey;
  headers[HEADER.eventKey] = key;
  const type: unknown = message.properties.type;
  const hasType = isShortString(type) && type !== '';
  return { ...message, properties: { ...message.properties, headers, type: hasType ? type : key || bus } };
}

/** The key of an event that came through `asTask`. */
export function keyOf(headers: Readonly<Record<string, unknown>>): string {
  return String(headers[HEADER.eventKey]);
}
