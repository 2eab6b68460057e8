import { refuse } from '../checks';
import { DEFAULTS, checkClient, type ResolvedClient, type WorkerClientOptions } from '../tasks/options';
import { schedulesOf, type Schedule, type ScheduleOptions } from './schedule';

export interface SchedulerOptions extends Omit<WorkerClientOptions, 'publishTimeoutMs'> {
  /** May be empty: then there is nothing to do, and it does not connect. All replicas should have the same. */
  schedules: readonly ScheduleOptions[];
}

export interface ResolvedScheduler extends ResolvedClient {
  readonly schedules: Schedule[];
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveScheduler(options: SchedulerOptions): ResolvedScheduler {
  const problems: string[] = [];
  const client = checkClient(options, problems);
  const resolved = { ...client, schedules: schedulesOf(options.schedules, client.maxPayloadBytes, problems) };
  refuse('Scheduler options', problems);
  return resolved;
}

/** Every problem of schedules that somebody else has written, such as those of a file; none when they can be used. */
export function scheduleProblems(schedules: unknown): string[] {
  const problems: string[] = [];
  schedulesOf(schedules, DEFAULTS.maxPayloadBytes, problems);
  return problems;
}
