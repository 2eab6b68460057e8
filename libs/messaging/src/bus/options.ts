import { checkBroker, type BrokerOptions, type ResolvedBroker } from '../broker/options';
import { checkName, nameProblem, refuse, timeout } from '../checks';
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
