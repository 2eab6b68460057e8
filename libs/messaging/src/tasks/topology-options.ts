import type { Definitions, ExchangeDefinition, Group } from '../broker/definitions';
import { SHARED, busGroup, delayGroup, scheduleGroup, taskGroup } from '../broker/topology';
import { checkName, nameProblem, queueNameProblem, refuse } from '../checks';
import { DEFAULTS, levels } from './options';

/** Whose topology. */
export interface TopologyOptions {
  queues?: readonly QueueTopologyOptions[];
  buses?: readonly BusTopologyOptions[];
  subscriptions?: readonly SubscriptionTopologyOptions[];
}

export interface QueueTopologyOptions {
  queueName: string;
  /** As its workers and clients have them. */
  retryDelaysMs?: readonly number[];
  /** Whether a Scheduler puts tasks on it. Default false. */
  schedules?: boolean;
}

export interface BusTopologyOptions {
  name: string;
  /** Default `direct`, which a Logger has. */
  kind?: ExchangeDefinition['type'];
}

/** A durable subscription: its queues, and the keys by which they are bound. */
export interface SubscriptionTopologyOptions {
  /** One of `buses`. */
  bus: string;
  durable: string;
  keys: readonly string[];
  retryDelaysMs?: readonly number[];
}

const KINDS: readonly string[] = ['direct', 'fanout', 'topic', 'headers'];

/**
 * All exchanges, queues and bindings that these queues and buses need, delay levels included: what an operator declares for programs with
 * `topology: 'check'`. @throws ConfigError `CONFIG_INVALID`, with every problem.
 */
export function topologyOf(options: TopologyOptions): Definitions {
  const groups = groupsOf(options);
  return {
    // A bus stands with each of its subscriptions, too.
    exchanges: eachOnce(groups.flatMap(({ exchanges }) => exchanges)),
    queues: eachOnce(groups.flatMap((group) => group.queues)),
    bindings: groups.flatMap(({ bindings }) => bindings),
  };
}

/** The same, in the groups in which it is declared. @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function groupsOf({ queues = [], buses = [], subscriptions = [] }: TopologyOptions): Group[] {
  const problems: string[] = [];
  const ofQueues = queues.flatMap(({ queueName, retryDelaysMs, schedules }) => {
    const name = checkName('queueName', queueName, queueNameProblem, problems);
    const delaysMs = levels(retryDelaysMs ?? DEFAULTS.retryDelaysMs, problems);
    return [taskGroup(name, delaysMs), delayGroup(name), ...(schedules ? [scheduleGroup(name)] : [])];
  });
  const ofBuses = buses.map(({ name, kind = 'direct' }) => {
    if (!KINDS.includes(kind)) problems.push(`kind must be one of ${KINDS.join(', ')}`);
    return busGroup({ name: checkName('name', name, nameProblem, problems), type: kind });
  });
  const ofSubscriptions = subscriptions.flatMap(({ bus, durable, keys, retryDelaysMs }) => {
    const [exchange] = ofBuses.flatMap(({ exchanges }) => exchanges).filter(({ name }) => name === bus);
    if (!exchange) problems.push(`the bus "${bus}" of a subscription must be among the buses, with its kind`);
    const name = checkName('queueName', `${bus}.${durable}`, queueNameProblem, problems);
    const group = taskGroup(name, levels(retryDelaysMs ?? DEFAULTS.retryDelaysMs, problems));
    const own = keys.map((key) => ({ source: bus, queue: name, key }));
    return [
      {
        ...group,
        name: `subscription ${name}`,
        exchanges: exchange ? [exchange] : [],
        bindings: [...group.bindings, ...own],
      },
      delayGroup(name),
    ];
  });
  refuse('Topology options', [...new Set(problems)]);
  return [...(queues.length + subscriptions.length > 0 ? [SHARED] : []), ...ofQueues, ...ofBuses, ...ofSubscriptions];
}

function eachOnce<Named extends { readonly name: string }>(list: readonly Named[]): Named[] {
  return [...new Map(list.map((each) => [each.name, each])).values()];
}
