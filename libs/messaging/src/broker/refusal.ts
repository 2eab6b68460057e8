import type { ConfirmChannel } from 'amqplib';
import { BrokerError } from '../errors';
import { closeChannel, type Connection } from './connection';
import type { ExchangeDefinition } from './definitions';

type Arguments = Record<string, string | number | boolean>;

interface Declaration {
  readonly name: string;
  readonly arguments: Readonly<Arguments>;
}

/**
 * What the broker says against the declaration of a durable queue; undefined when it agrees. Only 405 (somebody's exclusive queue) and 406
 * (other arguments) speak of the queue; anything else, such as a lost channel, says nothing about it. A refusal closes the channel.
 */
export async function refusalBy(channel: ConfirmChannel, queue: Declaration): Promise<Error | undefined> {
  try {
    await channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments });
    return undefined;
  } catch (error) {
    const { code } = error as Error & { code?: number };
    if (code !== 405 && code !== 406) throw error;
    return error as Error;
  }
}

/** The same, on a channel of its own. */
export async function refusalOf(connection: Connection, queue: Declaration): Promise<Error | undefined> {
  const channel = await connection.openChannel();
  const refusal = await refusalBy(channel, queue);
  if (!refusal) await closeChannel(channel);
  return refusal;
}

/**
 * The arguments of an existing durable quorum queue; undefined when it is none. No method of the protocol tells them,
 * but each refusal names one that differs, with its current value: so ask again with that value until the broker agrees,
 * or until the difference is the type or durability itself.
 */
export async function durableQuorumArguments(connection: Connection, name: string): Promise<Arguments | undefined> {
  const args: Arguments = { 'x-queue-type': 'quorum' };
  for (let tries = 0; tries < 20; tries++) {
    const refusal = await refusalOf(connection, { name, arguments: args });
    if (!refusal) return args;
    const difference = /inequivalent arg '([^']+)' .*current is (?:none|the value '([^']*)' of type '(\w+)')/.exec(
      refusal.message,
    );
    const [, key, value, type] = difference ?? [];
    if (key === undefined || key === 'x-queue-type' || !key.startsWith('x-')) return undefined;
    if (value === undefined) delete args[key];
    else if (type === 'bool') args[key] = value === 'true';
    else args[key] = type === 'longstr' ? value : Number(value);
  }
  return undefined;
}

/** @throws BrokerError `BROKER_TOPOLOGY_MISMATCH`. */
export async function declareExchange(
  channel: ConfirmChannel,
  { name, type, alternateExchange }: ExchangeDefinition,
): Promise<void> {
  try {
    await channel.assertExchange(name, type, { durable: true, ...(alternateExchange ? { alternateExchange } : {}) });
  } catch (cause) {
    if (!(cause instanceof Error && /PRECONDITION[-_]FAILED/.test(cause.message))) throw cause;
    const message = `Exchange "${name}" exists, but not as a durable ${type} exchange of Mercury's: ${wordsOf(cause)}`;
    throw new BrokerError('BROKER_TOPOLOGY_MISMATCH', message, { cause });
  }
}

/** The broker's words on a queue that is there with other arguments. */
export function mismatch(name: string, refusal: Error): BrokerError {
  const message = `Queue "${name}" exists with other arguments than Mercury's, or may not be declared: ${wordsOf(refusal)}`;
  return new BrokerError('BROKER_TOPOLOGY_MISMATCH', message, { cause: refusal });
}

/** The broker's own words in a refusal. */
export function wordsOf({ message }: Error): string {
  return /"(.*)"/.exec(message)?.[1] ?? message;
}
