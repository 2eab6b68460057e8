import type { GetMessage, Options } from 'amqplib';
import { deadQueueOf } from '@mercury/messaging';
import type { Rabbit } from './rabbit';

/** What a test says of a dead letter. */
export interface Letter {
  id: string;
  type?: string;
  code?: string;
  deadAtMs?: number;
  body?: string | Buffer;
  headers?: Record<string, unknown>;
}

/** Letters of the same kind, each a millisecond younger than the one before. */
export const numbered = (count: number, beginMs: number): Letter[] =>
  Array.from({ length: count }, (_, number) => ({ id: `letter-${number}`, deadAtMs: beginMs + number }));

/** Puts dead letters as a worker of an older version left them: without a history. */
export function bury(rabbit: Rabbit, queueName: string, letters: readonly Letter[]): Promise<void> {
  return rabbit.use(async (channel) => {
    for (const { id, type = 'report', code = 'GONE', deadAtMs, body = '{"month":11}', headers } of letters) {
      const options: Options.Publish = {
        messageId: id,
        type,
        persistent: true,
        headers: {
          'x-attempt': 3,
          'x-error-code': code,
          'x-error-message': 'Gone.',
          'x-origin-queue': queueName,
          ...(deadAtMs === undefined ? {} : { 'x-dead-at-ms': deadAtMs }),
          ...headers,
        },
      };
      channel.sendToQueue(deadQueueOf(queueName), Buffer.from(body), options);
    }
    await (channel as unknown as { waitForConfirms(): Promise<void> }).waitForConfirms();
  });
}

/** The broker's own notes on a message, which each delivery may change. */
const BROKERS_OWN = /^x-(delivery-count|acquired-count)$/;

/** All messages of a queue, byte for byte, by id. They go back. */
export function contentsOf(rabbit: Rabbit, queue: string): Promise<string[]> {
  return rabbit.use(async (channel) => {
    const messages: GetMessage[] = [];
    for (;;) {
      const message = await channel.get(queue);
      if (!message) break;
      messages.push(message);
    }
    channel.nackAll(true);
    return messages.map(asText).sort();
  });
}

function asText({ content, properties, fields }: GetMessage): string {
  const headers = Object.entries(properties.headers ?? {});
  const kept = Object.fromEntries(headers.filter(([name]) => !BROKERS_OWN.test(name)));
  const { routingKey, exchange } = fields;
  return JSON.stringify([
    properties.messageId,
    content.toString('base64'),
    { ...properties, headers: kept },
    exchange,
    routingKey,
  ]);
}
