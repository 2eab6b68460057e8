import type { ConfirmChannel } from 'amqplib';
import { BrokerError } from '../errors';
import { closeChannel, type Connection } from './connection';
import { declareOnce } from './declarations';
import { DELAY_LEVELS_MS, delayLevelMs } from './delay';

/** Every name that Mercury gives on the broker, in one place. */
export const EXCHANGE = {
  /** Publishers send here; no alternate exchange, or `mandatory` would report nothing. */
  tasks: 'mercury.tasks',
  /** Retry levels and delay levels return tasks through it. */
  back: 'mercury.back',
  dead: 'mercury.dead',
  unrouted: 'mercury.unrouted',
} as const;

const UNROUTED_QUEUE = 'mercury.unrouted';

export const deadQueueOf = (queueName: string): string => `${queueName}.dead`;
/** Tasks that may have ended their workers wait here, to run alone. */
export const suspectQueueOf = (queueName: string): string => `${queueName}.suspect`;
/** How far the schedules of a work queue have come. Who gets its messages is the one that enqueues. */
export const scheduleQueueOf = (queueName: string): string => `${queueName}.schedule`;

export const retryQueueOf = (queueName: string, levelMs: number): string => `${queueName}.retry.${levelMs}`;

/** Delay levels return their tasks here: a worker sends each to the next level, or to the work queue when it is due. */
export const dueQueueOf = (queueName: string): string => `${queueName}.due`;

export const delayQueueOf = (queueName: string, levelMs: number): string => `${queueName}.delay.${levelMs}`;

/** Where a task waits that has this long to wait: never in the work queue, where a foreign consumer would run it. */
export function waitingQueueOf(queueName: string, remainingMs: number): string {
  const levelMs = delayLevelMs(remainingMs);
  return levelMs === undefined ? dueQueueOf(queueName) : delayQueueOf(queueName, levelMs);
}

type QueueArguments = Record<string, string | number | boolean>;

/**
 * Bounded, and refusing instead of dropping when full. The same arguments on every broker version: one that depends
 * on the version would make the next declare fail (406 PRECONDITION_FAILED) after an upgrade.
 */
const QUORUM: QueueArguments = {
  'x-queue-type': 'quorum',
  'x-overflow': 'reject-publish',
  'x-max-length': 1_000_000,
};

/** With another overflow than ours a queue drops what it was to keep. */
const KEEPER_NEEDS = ['x-overflow'];
/** With other values of these a level never gives its tasks back. */
const LEVEL_NEEDS = ['x-overflow', 'x-message-ttl', 'x-dead-letter-exchange', 'x-dead-letter-routing-key'];

/** at-least-once: the broker keeps a dead-lettered message until its target has confirmed it (RabbitMQ docs, quorum queues). */
export function workQueueArguments(queueName: string): QueueArguments {
  return {
    ...QUORUM,
    'x-delivery-limit': 20,
    'x-dead-letter-exchange': EXCHANGE.dead,
    'x-dead-letter-routing-key': queueName,
    'x-dead-letter-strategy': 'at-least-once',
  };
}

export function retryQueueArguments(queueName: string, levelMs: number): QueueArguments {
  return { ...workQueueArguments(queueName), 'x-message-ttl': levelMs, 'x-dead-letter-exchange': EXCHANGE.back };
}

export function delayQueueArguments(queueName: string, levelMs: number): QueueArguments {
  return { ...retryQueueArguments(queueName, levelMs), 'x-dead-letter-routing-key': dueQueueOf(queueName) };
}

/** Without the large delivery limit, reading a dead queue again and again would delete it. */
export const keepingQueueArguments: QueueArguments = { ...QUORUM, 'x-delivery-limit': 1_000_000 };

/** The broker gives it to one consumer at a time, and to the next when that one is gone (RabbitMQ docs, single active consumer). */
export const scheduleQueueArguments: QueueArguments = { ...keepingQueueArguments, 'x-single-active-consumer': true };
const SCHEDULE_NEEDS = ['x-overflow', 'x-single-active-consumer'];

/**
 * Declares all that a work queue needs: exchanges, the queue, its retry and delay levels, its dead queue, the bindings.
 * A queue that exists with other arguments is used as it is when it is a durable quorum queue; `onMismatch` tells of it.
 * @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` when a queue exists that cannot keep Mercury's promise.
 */
export async function declareTaskTopology(
  connection: Connection,
  queueName: string,
  retryDelaysMs: readonly number[],
  onMismatch: (problem: BrokerError) => void,
): Promise<void> {
  const exchanges = await connection.openChannel();
  await exchanges.assertExchange(EXCHANGE.unrouted, 'fanout', { durable: true });
  await exchanges.assertExchange(EXCHANGE.tasks, 'direct', { durable: true });
  await exchanges.assertExchange(EXCHANGE.back, 'direct', { durable: true, alternateExchange: EXCHANGE.unrouted });
  await exchanges.assertExchange(EXCHANGE.dead, 'direct', { durable: true });
  await closeChannel(exchanges);

  const deadQueue = deadQueueOf(queueName);
  const work = workQueueArguments(queueName);
  // Together: each costs some round trips, and a first `put` over a slow line waits for all of them.
  const declare = (name: string, args: QueueArguments, needed: readonly string[]) =>
    declareQueue(connection, name, args, needed, onMismatch);
  await Promise.all([
    declare(UNROUTED_QUEUE, keepingQueueArguments, KEEPER_NEEDS),
    declare(deadQueue, keepingQueueArguments, KEEPER_NEEDS),
    declare(dueQueueOf(queueName), keepingQueueArguments, KEEPER_NEEDS),
    declare(suspectQueueOf(queueName), work, KEEPER_NEEDS),
    declare(queueName, work, []),
    ...retryDelaysMs.map((levelMs) =>
      declare(retryQueueOf(queueName, levelMs), retryQueueArguments(queueName, levelMs), LEVEL_NEEDS),
    ),
    ...DELAY_LEVELS_MS.map((levelMs) =>
      declare(delayQueueOf(queueName, levelMs), delayQueueArguments(queueName, levelMs), LEVEL_NEEDS),
    ),
  ]);

  const bindings = await connection.openChannel();
  await bindings.bindQueue(UNROUTED_QUEUE, EXCHANGE.unrouted, '');
  await bindings.bindQueue(deadQueue, EXCHANGE.dead, queueName);
  await bindings.bindQueue(dueQueueOf(queueName), EXCHANGE.back, dueQueueOf(queueName));
  await bindings.bindQueue(queueName, EXCHANGE.back, queueName);
  // Last: from here on a task can arrive, and everything it may need exists.
  await bindings.bindQueue(queueName, EXCHANGE.tasks, queueName);
  await closeChannel(bindings);
}

/**
 * Takes the dead queue for one reader, and keeps others out until that channel's connection ends or the queue with the
 * returned name is deleted. Quorum queues know no exclusive consumers, so it is a queue beside it that is exclusive: to
 * one connection, and by its consumer to one reader of that connection.
 */
export async function reserveDeadQueue(channel: ConfirmChannel, queueName: string): Promise<string> {
  const name = `${deadQueueOf(queueName)}.reader`;
  await channel.assertQueue(name, { durable: false, exclusive: true });
  await channel.consume(name, () => undefined, { exclusive: true });
  return name;
}

/**
 * Declares the queue by which the replicas of a scheduler find their leader.
 * @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` when a queue exists with which several would lead at once.
 */
export function declareScheduleQueue(
  connection: Connection,
  queueName: string,
  onMismatch: (problem: BrokerError) => void,
): Promise<void> {
  return declareQueue(connection, scheduleQueueOf(queueName), scheduleQueueArguments, SCHEDULE_NEEDS, onMismatch);
}

/** @param needed the arguments without which tasks would be lost in this queue. */
async function declareQueue(
  connection: Connection,
  name: string,
  args: QueueArguments,
  needed: readonly string[],
  onMismatch: (problem: BrokerError) => void,
): Promise<void> {
  const mismatch = await declareOnce(connection.broker, name, args, () => mismatchOf(connection, name, args, needed));
  if (mismatch) onMismatch(mismatch);
}

/**
 * Declares a queue, and says how the one that is there differs. One channel per declare: a refused declare closes its channel.
 * @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` when it cannot be used as it is.
 */
async function mismatchOf(
  connection: Connection,
  name: string,
  args: QueueArguments,
  needed: readonly string[],
): Promise<BrokerError | undefined> {
  const refusal = await refusalOf(connection, name, args);
  if (!refusal) return undefined;
  const problem = mismatch(name, refusal);
  const found = await durableQuorumArguments(connection, name);
  if (!found || needed.some((key) => found[key] !== args[key])) throw problem;
  return problem;
}

/**
 * The arguments of an existing durable quorum queue; undefined when it is none. No method of the protocol tells them,
 * but each refusal names one that differs, with its current value: so ask again with that value until the broker agrees,
 * or until the difference is the type or durability itself.
 */
async function durableQuorumArguments(connection: Connection, name: string): Promise<QueueArguments | undefined> {
  const args: QueueArguments = { 'x-queue-type': 'quorum' };
  for (let tries = 0; tries < 20; tries++) {
    const refusal = await refusalOf(connection, name, args);
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

/**
 * What the broker says against this declaration; undefined when it agrees. Only 405 (somebody's exclusive queue) and 406
 * (other arguments) speak of the queue; anything else, such as a lost channel, says nothing about it.
 */
async function refusalOf(connection: Connection, name: string, args: QueueArguments): Promise<Error | undefined> {
  const channel = await connection.openChannel();
  try {
    await channel.assertQueue(name, { durable: true, arguments: args });
    await closeChannel(channel);
    return undefined;
  } catch (error) {
    const { code } = error as Error & { code?: number };
    if (code !== 405 && code !== 406) throw error;
    return error as Error;
  }
}

function mismatch(name: string, refusal: Error): BrokerError {
  const text = /"(.*)"/.exec(refusal.message)?.[1] ?? refusal.message;
  const message = `Queue "${name}" exists with other arguments than Mercury's, or may not be declared: ${text}`;
  return new BrokerError('BROKER_TOPOLOGY_MISMATCH', message, { cause: refusal });
}
