import { checkBroker, type BrokerOptions, type ResolvedBroker } from '../broker/options';
import { checkName, queueNameProblem, refuse, timeout } from '../checks';
import { DEFAULTS } from '../tasks/options';

export interface DeadLettersOptions extends BrokerOptions {
  /** The work queue whose dead letters they are. */
  queueName: string;
  /** How long a reading waits for the broker, and a replay for each confirm, in milliseconds. Default 5,000. */
  publishTimeoutMs?: number;
}

export interface ResolvedDeadLetters extends ResolvedBroker {
  readonly queueName: string;
  readonly publishTimeoutMs: number;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveDeadLetters(options: DeadLettersOptions): ResolvedDeadLetters {
  const problems: string[] = [];
  const resolved = {
    ...checkBroker(options, problems),
    queueName: checkName('queueName', options.queueName, queueNameProblem, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs ?? DEFAULTS.publishTimeoutMs, problems),
  };
  refuse('DeadLetters options', problems);
  return resolved;
}
