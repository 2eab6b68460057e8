import type { ConfirmChannel } from 'amqplib';
import type { BrokerError } from '../errors';
import type { Connection } from './connection';
import type { ExchangeDefinition, Group, QueueArguments, QueueDefinition } from './definitions';
import { DELAY_LEVELS_MS, delayLevelMs } from './delay';
import { checkExchange, establish } from './establish';
import type { TopologyMode } from './options';
import { declareExchange } from './refusal';

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

/** What all work queues of a broker share. */
export const SHARED: Group = {
  name: 'mercury',
  mending: [],
  exchanges: [
    { name: EXCHANGE.unrouted, type: 'fanout' },
    { name: EXCHANGE.tasks, type: 'direct' },
    { name: EXCHANGE.back, type: 'direct', alternateExchange: EXCHANGE.unrouted },
    { name: EXCHANGE.dead, type: 'direct' },
  ],
  queues: [keeper(UNROUTED_QUEUE)],
  bindings: [{ source: EXCHANGE.unrouted, queue: UNROUTED_QUEUE, key: '' }],
};

/** What belongs to one work queue, whose tasks may wait for another attempt so long. */
export function taskGroup(queueName: string, retryDelaysMs: readonly number[]): Group {
  const [dead, due] = [deadQueueOf(queueName), dueQueueOf(queueName)];
  const work = workQueueArguments(queueName);
  return {
    name: `queue ${queueName} ${retryDelaysMs.join(',')}`,
    mending: [`--queue '${queueName}'`, `--retry-delays ${retryDelaysMs.join(',')}`],
    exchanges: [],
    queues: [
      { name: queueName, arguments: work, needed: [] },
      keeper(dead),
      keeper(due),
      { name: suspectQueueOf(queueName), arguments: work, needed: KEEPER_NEEDS },
      ...retryDelaysMs.map((levelMs) => ({
        name: retryQueueOf(queueName, levelMs),
        arguments: retryQueueArguments(queueName, levelMs),
        needed: LEVEL_NEEDS,
      })),
    ],
    bindings: [
      { source: EXCHANGE.dead, queue: dead, key: queueName },
      { source: EXCHANGE.back, queue: due, key: due },
      { source: EXCHANGE.back, queue: queueName, key: queueName },
      // Last: from here on a task can arrive, and everything it may need exists.
      { source: EXCHANGE.tasks, queue: queueName, key: queueName },
    ],
  };
}

/** The levels of a work queue in which delayed tasks wait. Seven queues, which most work queues never need. */
export function delayGroup(queueName: string): Group {
  const queues = DELAY_LEVELS_MS.map((levelMs) => ({
    name: delayQueueOf(queueName, levelMs),
    arguments: delayQueueArguments(queueName, levelMs),
    needed: LEVEL_NEEDS,
  }));
  return { name: `delays ${queueName}`, mending: [`--queue '${queueName}'`], exchanges: [], queues, bindings: [] };
}

/** The queue by which the replicas of a scheduler find their leader. */
export function scheduleGroup(queueName: string): Group {
  const queue = { name: scheduleQueueOf(queueName), arguments: scheduleQueueArguments, needed: SCHEDULE_NEEDS };
  const mending = [`--queue '${queueName}'`, '--schedules'];
  return { name: `schedules ${queueName}`, mending, exchanges: [], queues: [queue], bindings: [] };
}

function keeper(name: string): QueueDefinition {
  return { name, arguments: keepingQueueArguments, needed: KEEPER_NEEDS };
}

/** How a program sees to what it needs on the broker. */
export interface TopologyUse {
  readonly mode: TopologyMode;
  /** Told of each queue that is used although its arguments are others. */
  readonly onMismatch: (problem: BrokerError) => void;
}

/**
 * Sees to all that a work queue needs: exchanges, the queue, its retry levels, its dead queue, the bindings. Who declares them leaves out
 * the delay levels until a task needs one; who only checks wants them beforehand.
 * @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` when a queue exists that cannot keep Mercury's promise, `BROKER_TOPOLOGY_MISSING`.
 */
export async function declareTaskTopology(
  connection: Connection,
  queueName: string,
  retryDelaysMs: readonly number[],
  { mode, onMismatch }: TopologyUse,
  withDelays = false,
): Promise<void> {
  const groups = [SHARED, taskGroup(queueName, retryDelaysMs)];
  if (withDelays || mode === 'check') groups.push(delayGroup(queueName));
  for (const mismatch of await establish(connection, groups, mode)) onMismatch(mismatch);
}

/**
 * The same, and the queue by which the replicas of a scheduler find their leader.
 * @throws BrokerError as above; `BROKER_TOPOLOGY_MISMATCH` also when that queue exists and with it several would lead at once.
 */
export async function declareScheduleTopology(
  connection: Connection,
  queueName: string,
  retryDelaysMs: readonly number[],
  { mode, onMismatch }: TopologyUse,
): Promise<void> {
  const groups = [SHARED, taskGroup(queueName, retryDelaysMs), scheduleGroup(queueName)];
  for (const mismatch of await establish(connection, groups, mode)) onMismatch(mismatch);
}

/** An event bus is an exchange of this type. */
export function busGroup(exchange: ExchangeDefinition): Group {
  const mending = [`--bus '${exchange.name}:${exchange.type}'`];
  return { name: `bus ${exchange.name}`, mending, exchanges: [exchange], queues: [], bindings: [] };
}

/** On a channel that is there. @throws BrokerError `BROKER_TOPOLOGY_MISMATCH`, `BROKER_TOPOLOGY_MISSING`. */
export async function declareBus(
  channel: ConfirmChannel,
  exchange: ExchangeDefinition,
  mode: TopologyMode,
): Promise<void> {
  if (mode === 'declare') await declareExchange(channel, exchange);
  if (mode === 'check') await checkExchange(channel, exchange.name, busGroup(exchange).mending);
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
