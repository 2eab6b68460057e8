import type { Definitions, ExchangeDefinition, Group } from '../broker/definitions';
import { SHARED, busGroup, delayGroup, scheduleGroup, taskGroup } from '../broker/topology';
import { checkName, nameProblem, queueNameProblem, refuse } from '../checks';
import { DEFAULTS, levels } from './options';

/** Whose topology. */
export interface TopologyOptions {
  queues?: readonly QueueTopologyOptions[];
  buses?: readonly BusTopologyOptions[];
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

const KINDS: readonly string[] = ['direct', 'fanout', 'topic', 'headers'];

/**
 * All exchanges, queues and bindings that these queues and buses need, delay levels included: what an operator declares for programs with
 * `topology: 'check'`. @throws ConfigError `CONFIG_INVALID`, with every problem.
 */
export function topologyOf({ queues = [], buses = [] }: TopologyOptions): Definitions {
  const groups = groupsOf({ queues, buses });
  return {
    exchanges: groups.flatMap(({ exchanges }) => exchanges),
    queues: groups.flatMap((group) => group.queues),
    bindings: groups.flatMap(({ bindings }) => bindings),
  };
}

/** The same, in the groups in which it is declared. @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function groupsOf({ queues = [], buses = [] }: TopologyOptions): Group[] {
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
  refuse('Topology options', [...new Set(problems)]);
  return [...(queues.length > 0 ? [SHARED] : []), ...ofQueues, ...ofBuses];
}
