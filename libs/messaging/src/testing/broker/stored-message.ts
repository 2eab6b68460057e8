import type { MessageProperties, Options } from 'amqplib';

/** A message as a queue keeps it. */
export interface StoredMessage {
  readonly content: Buffer;
  /** As they were published; `headers` without what the broker adds at a delivery. */
  readonly properties: MessageProperties;
  readonly exchange: string;
  readonly routingKey: string;
  /** Deliveries that ended without a word: what `x-delivery-count` says. */
  deliveryCount: number;
  isRedelivered: boolean;
  /** Infinity in a queue without a time to live. */
  expiresAtMs: number;
}

export type Address = Pick<StoredMessage, 'exchange' | 'routingKey'>;

/** A copy of what a publisher gives, as the wire would make one. */
export function messageOf(address: Address, content: Buffer, options: Options.Publish): StoredMessage {
  const { persistent, deliveryMode } = options;
  const text = (value: string | number | undefined) => (value === undefined ? undefined : String(value));
  return {
    ...address,
    content: Buffer.from(content),
    properties: {
      contentType: text(options.contentType),
      contentEncoding: text(options.contentEncoding),
      headers: definedOf(options.headers),
      deliveryMode: persistent === true || deliveryMode === true || deliveryMode === 2 ? 2 : 1,
      priority: options.priority,
      correlationId: text(options.correlationId),
      replyTo: text(options.replyTo),
      expiration: text(options.expiration),
      messageId: text(options.messageId),
      timestamp: options.timestamp,
      type: text(options.type),
      userId: text(options.userId),
      appId: text(options.appId),
      clusterId: undefined,
    },
    deliveryCount: 0,
    isRedelivered: false,
    expiresAtMs: Infinity,
  };
}

/** What a consumer sees: the broker adds the count to the headers once there is one. */
export function deliveredProperties({ properties, deliveryCount }: StoredMessage): MessageProperties {
  const headers = { ...structuredClone(properties.headers) };
  if (deliveryCount > 0) headers['x-delivery-count'] = deliveryCount;
  return { ...properties, headers };
}

/** Why the broker moved a message, in the words of `x-death`. */
export type DeathReason = 'expired' | 'maxlen' | 'rejected' | 'delivery_limit';

/** The message with its death written into its headers (RabbitMQ docs, dlx), to go to another exchange. */
export function deadMessageOf(
  message: StoredMessage,
  address: Address,
  queue: string,
  reason: DeathReason,
  nowMs: number,
): StoredMessage {
  const headers = { ...message.properties.headers };
  const deaths = (headers['x-death'] ?? []) as { queue: string; reason: string; count: number }[];
  const isSame = (death: { queue: string; reason: string }) => death.queue === queue && death.reason === reason;
  const latest = {
    count: (deaths.find(isSame)?.count ?? 0) + 1,
    reason,
    queue,
    time: { '!': 'timestamp', value: Math.floor(nowMs / 1_000) },
    exchange: message.exchange,
    'routing-keys': [message.routingKey],
  };
  return {
    ...message,
    ...address,
    properties: {
      ...message.properties,
      headers: {
        ...headers,
        'x-death': [latest, ...deaths.filter((death) => !isSame(death))] as NonNullable<typeof headers>['x-death'],
        'x-first-death-reason': headers['x-first-death-reason'] ?? reason,
        'x-first-death-queue': headers['x-first-death-queue'] ?? queue,
        'x-first-death-exchange': headers['x-first-death-exchange'] ?? message.exchange,
      },
    },
    deliveryCount: 0,
    isRedelivered: false,
    expiresAtMs: Infinity,
  };
}

function definedOf(headers: unknown): Record<string, unknown> {
  const entries = Object.entries(Object(headers) as object).filter(([, value]) => value !== undefined);
  return structuredClone(Object.fromEntries(entries));
}
