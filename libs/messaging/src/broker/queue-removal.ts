import type { ConfirmChannel } from 'amqplib';
import { closeChannel, type Connection } from './connection';
import { DELAY_LEVELS_MS } from './delay';
import { deadQueueOf, delayQueueOf, dueQueueOf, retryQueueOf, suspectQueueOf } from './topology';

/** What is in a work queue and in those that belong to it. */
export interface QueueContent {
  /** Whether there is any of them. */
  isThere: boolean;
  /** Of the one that has most. */
  consumerCount: number;
  /** That wait: now, for another attempt, for their time, or as suspects. */
  waitingCount: number;
  deadCount: number;
}

/** Where its tasks wait, the work queue last: while levels still gave back to it, what they have would be unrouted. */
function waitingQueuesOf(queueName: string, retryDelaysMs: readonly number[]): string[] {
  return [
    ...retryDelaysMs.map((levelMs) => retryQueueOf(queueName, levelMs)),
    ...DELAY_LEVELS_MS.map((levelMs) => delayQueueOf(queueName, levelMs)),
    dueQueueOf(queueName),
    suspectQueueOf(queueName),
    queueName,
  ];
}

export async function contentOf(
  connection: Connection,
  queueName: string,
  retryDelaysMs: readonly number[],
): Promise<QueueContent> {
  const counts = await Promise.all(waitingQueuesOf(queueName, retryDelaysMs).map((name) => countsOf(connection, name)));
  const dead = await countsOf(connection, deadQueueOf(queueName));
  const there = counts.filter((each) => each !== undefined);
  return {
    isThere: there.length > 0 || dead !== undefined,
    // Of any: a worker that runs a suspect alone has paused the work queue meanwhile.
    consumerCount: Math.max(0, ...there.map(({ consumerCount }) => consumerCount)),
    waitingCount: there.reduce((sum, { messageCount }) => sum + messageCount, 0),
    deadCount: dead?.messageCount ?? 0,
  };
}

/** Deletes a work queue and all that belong to it, whatever is in them. @returns how much that was. */
export async function deleteQueues(
  connection: Connection,
  queueName: string,
  retryDelaysMs: readonly number[],
): Promise<Pick<QueueContent, 'waitingCount' | 'deadCount'>> {
  const channel = await connection.openChannel();
  try {
    let waitingCount = 0;
    for (const name of waitingQueuesOf(queueName, retryDelaysMs)) waitingCount += await deleted(channel, name);
    return { waitingCount, deadCount: await deleted(channel, deadQueueOf(queueName)) };
  } finally {
    await closeChannel(channel);
  }
}

/** One that is not there is no error (RabbitMQ docs, spec errata: queue.delete). */
async function deleted(channel: ConfirmChannel, name: string): Promise<number> {
  return (await channel.deleteQueue(name)).messageCount;
}

/** Undefined when there is no such queue. A channel for each: the answer to that closes it. */
async function countsOf(
  connection: Connection,
  name: string,
): Promise<{ messageCount: number; consumerCount: number } | undefined> {
  const channel = await connection.openChannel();
  try {
    return await channel.checkQueue(name);
  } catch (cause) {
    if ((cause as { code?: number }).code === 404) return undefined;
    throw cause;
  } finally {
    await closeChannel(channel);
  }
}
