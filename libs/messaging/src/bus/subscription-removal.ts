import type { Connection } from '../broker/connection';
import { contentOf, deleteQueues } from '../broker/queue-removal';
import { refuse } from '../checks';
import { MercuryError } from '../errors';
import { DEFAULTS, levels } from '../tasks/options';

export interface RemoveSubscriptionOptions {
  /** Remove it with the events and dead letters that are in it. Default false: then it is refused with `SUBSCRIPTION_NOT_EMPTY`. */
  discard?: boolean;
  /** The retry levels that it had, each of which is a queue. Default: those that a subscription has by default. */
  retryDelaysMs?: readonly number[];
}

export interface RemovedSubscription {
  wasThere: boolean;
  /** That were discarded: those that waited, also for another attempt. */
  events: number;
  /** That were discarded. */
  deadLetters: number;
}

/**
 * Deletes the queues of a subscription. Looked at first: quorum queues know no `if-empty` (RabbitMQ docs, quorum queues). What comes
 * between the look and the end is discarded, and counted.
 * @throws ConfigError `CONFIG_INVALID` for levels that cannot be.
 */
export async function removeQueues(
  connection: Connection,
  queueName: string,
  { discard = false, retryDelaysMs = DEFAULTS.retryDelaysMs }: RemoveSubscriptionOptions,
): Promise<RemovedSubscription> {
  const problems: string[] = [];
  levels(retryDelaysMs, problems);
  refuse('Removal of a subscription', problems);
  const { isThere, consumerCount, waitingCount, deadCount } = await contentOf(connection, queueName, retryDelaysMs);
  if (consumerCount > 0) {
    const text = `Subscription "${queueName}" is in use: ${consumerCount} replicas would declare it again. Stop them first.`;
    throw new MercuryError('SUBSCRIPTION_IN_USE', text);
  }
  if (waitingCount + deadCount > 0 && !discard) {
    const events = countOf(waitingCount, 'event');
    const letters = countOf(deadCount, 'dead letter');
    const text = `Subscription "${queueName}" is not empty: ${events} and ${letters} are in it. Discard them with it, or let a replica handle them first.`;
    throw new MercuryError('SUBSCRIPTION_NOT_EMPTY', text);
  }
  const removed = await deleteQueues(connection, queueName, retryDelaysMs);
  return { wasThere: isThere, events: removed.waitingCount, deadLetters: removed.deadCount };
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
