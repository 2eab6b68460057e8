import { checkBroker, type BrokerOptions, type ResolvedBroker } from '../broker/options';
import { checkName, nameProblem, queueNameProblem, refuse, timeout } from '../checks';
import { DEFAULTS } from '../tasks/options';

export interface EventBusOptions extends BrokerOptions {
  /** The exchange, named exactly so. */
  name: string;
  publishTimeoutMs?: number;
}

export interface ResolvedBus extends ResolvedBroker {
  readonly name: string;
  readonly publishTimeoutMs: number;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveBus(options: EventBusOptions): ResolvedBus {
  const problems: string[] = [];
  const resolved = {
    ...checkBroker(options, problems),
    name: checkName('name', options.name, nameProblem, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs ?? DEFAULTS.publishTimeoutMs, problems),
  };
  refuse('Event bus options', problems);
  return resolved;
}

/** The work queue of a durable subscription. */
export function durableQueueOf(bus: string, durable: string): string {
  return `${bus}.${durable}`;
}

/**
 * The name of a durable subscription has no dot: two buses of which one is named as the beginning of the other would share queues.
 * @throws ConfigError `CONFIG_INVALID`, with every problem.
 */
export function checkDurable(bus: string, durable: unknown, more: readonly string[] = []): void {
  const problems: string[] = [];
  const name = checkName('durable', durable, nameProblem, problems);
  if (name.includes('.')) problems.push('durable must have no dot, which stands between it and the name of the bus');
  const queueName = durableQueueOf(bus, name);
  if (problems.length === 0) checkName(`its queue "${queueName}"`, queueName, queueNameProblem, problems);
  refuse(`Durable subscription ${JSON.stringify(name)}`, [...problems, ...more]);
}
