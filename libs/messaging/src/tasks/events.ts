import type { ConnectionEvents } from '../events';
import type { Outcome } from './outcome';
import type { Task } from './task';
import type { LogLine } from './task-log';

/** An execution whose outcome the broker knows; one that was postponed ends no attempt. The type is empty when the message could not be decoded. */
export interface SettledAttempt {
  id: string;
  type: string;
  attempt: number;
  queue: string;
  outcome: Outcome;
  /** The time of the handler. */
  durationMs: number;
  /** What the handler has said by `task.log`; missing when that is nothing. */
  log?: readonly LogLine[];
}

export interface WorkerEvents extends ConnectionEvents {
  started: [task: Task];
  settled: [attempt: SettledAttempt];
  /** A task that has succeeded before came again: it was acknowledged, and neither started nor settled. */
  skipped: [task: Task];
}
