import type { ConfirmChannel } from 'amqplib';
import { BrokerError } from '../errors';
import { closeChannel, type Connection } from './connection';
import { declareOnce } from './declarations';
import type { Group, QueueDefinition } from './definitions';
import { absentOf, type Place } from './differences';
import type { TopologyMode } from './options';
import { declareExchange, durableQuorumArguments, mismatch, refusalBy, refusalOf } from './refusal';

/** A new queue takes the broker some milliseconds, and one that has no leader a long time: so many at once, for each group. */
const LANES = 4;

/**
 * Declares the groups, or looks whether they are there, or does nothing. Queues of all groups at the same time; bindings once everything is
 * there that the first group and their own have.
 * @returns the queues that are used although they have other arguments.
 * @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` for one that cannot be used as it is, `BROKER_TOPOLOGY_MISSING`.
 */
export async function establish(
  connection: Connection,
  groups: readonly Group[],
  mode: TopologyMode,
): Promise<BrokerError[]> {
  if (mode === 'none') return [];
  if (mode === 'check') {
    const names = groups.map(({ name }) => name);
    return declareOnce(connection.broker, `check ${names.join(', ')}`, {}, () => check(connection, groups));
  }
  let first: Promise<BrokerError[]> | undefined;
  const declared = groups.map((group) => {
    const before = first;
    const own = declareOnce(connection.broker, group.name, { group }, () => declare(connection, group, before));
    first ??= own;
    return own;
  });
  return (await Promise.all(declared)).flat();
}

/** @param before what its bindings need beside the group itself. */
async function declare(
  connection: Connection,
  group: Group,
  before: Promise<unknown> | undefined,
): Promise<BrokerError[]> {
  const declareExchanges = async (channel: ConfirmChannel) => {
    for (const exchange of group.exchanges) await declareExchange(channel, exchange);
  };
  const exchanges = group.exchanges.length > 0 ? withChannel(connection, declareExchanges) : undefined;
  const queues = declareQueues(connection, group.queues);
  const [mismatches] = await Promise.all([queues, exchanges, before]);
  if (group.bindings.length > 0) {
    await withChannel(connection, async (channel) => {
      for (const { queue, source, key } of group.bindings) await channel.bindQueue(queue, source, key);
    });
  }
  return mismatches;
}

/** Each lane takes one after another; a refused declaration costs it its channel. */
async function declareQueues(connection: Connection, queues: readonly QueueDefinition[]): Promise<BrokerError[]> {
  const left = [...queues];
  const lane = async (): Promise<BrokerError[]> => {
    const found: BrokerError[] = [];
    let channel: ConfirmChannel | undefined;
    try {
      for (let queue = left.shift(); queue; queue = left.shift()) {
        const wanted = queue;
        const once = await declareOnce(connection.broker, wanted.name, wanted.arguments, async () => {
          channel ??= await connection.openChannel();
          const refusal = await refusalBy(channel, wanted);
          if (!refusal) return [];
          channel = undefined;
          return [await usableMismatch(connection, wanted, refusal)];
        });
        found.push(...once);
      }
    } finally {
      if (channel) await closeChannel(channel);
    }
    return found;
  };
  return (await Promise.all(Array.from({ length: LANES }, lane))).flat();
}

/** @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` when the queue cannot be used as it is. */
async function usableMismatch(
  connection: Connection,
  { name, arguments: wanted, needed }: QueueDefinition,
  refusal: Error,
): Promise<BrokerError> {
  const problem = mismatch(name, refusal);
  const found = await durableQuorumArguments(connection, name);
  if (!found || needed.some((key) => found[key] !== wanted[key])) throw problem;
  return problem;
}

/** Connections whose user may not declare anything. Asked once: the broker logs each refusal as an error. */
const powerless = new WeakSet<Connection>();

/**
 * Asks for each thing without declaring it. How a queue differs only a declaration tells: that is asked, of what is there, where the user may.
 */
async function check(connection: Connection, groups: readonly Group[]): Promise<BrokerError[]> {
  const missing: string[] = [];
  for (const group of groups) missing.push(...(await absentOf(connection, group)).map(named));
  if (missing.length > 0)
    throw missingProblem(
      missing,
      groups.flatMap(({ mending }) => mending),
    );
  const mismatches: BrokerError[] = [];
  for (const queue of groups.flatMap(({ queues }) => queues)) {
    if (powerless.has(connection)) break;
    const refusal = await refusalOf(connection, queue).catch((error: unknown) => {
      if ((error as { code?: number }).code !== 403) throw error;
      powerless.add(connection);
      return undefined;
    });
    if (refusal) mismatches.push(await usableMismatch(connection, queue, refusal));
  }
  return mismatches;
}

/** Looks for one exchange, on a channel that is there. @throws BrokerError `BROKER_TOPOLOGY_MISSING`. */
export async function checkExchange(channel: ConfirmChannel, name: string, mending: readonly string[]): Promise<void> {
  try {
    await channel.checkExchange(name);
  } catch (cause) {
    if ((cause as { code?: number }).code !== 404) throw cause;
    throw missingProblem([named({ kind: 'exchange', name })], mending, cause);
  }
}

const named = ({ kind, name }: Place) => `${kind} "${name}"`;

function missingProblem(missing: readonly string[], mending: readonly string[], cause?: unknown): BrokerError {
  const message =
    `Not on the broker, and not declared here because of topology 'check': ${missing.join(', ')}. ` +
    `Who may declare it runs: mercury topology apply ${[...new Set(mending)].join(' ')}`;
  return new BrokerError('BROKER_TOPOLOGY_MISSING', message, cause === undefined ? undefined : { cause });
}

async function withChannel(connection: Connection, work: (channel: ConfirmChannel) => Promise<void>): Promise<void> {
  const channel = await connection.openChannel();
  try {
    await work(channel);
  } finally {
    await closeChannel(channel);
  }
}
