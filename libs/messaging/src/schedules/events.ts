import type { ConnectionEvents } from '../events';

/** A tick whose task the broker has stored. */
export interface EnqueuedTick {
  schedule: string;
  tick: Date;
  /** Of the task: made of the schedule and the tick. */
  id: string;
  /** From the tick to the broker's confirm. */
  lateMs: number;
}

/** Ticks that are not enqueued any more, the first and the last included. */
export interface MissedTicks {
  schedule: string;
  first: Date;
  last: Date;
}

/** `ready`: it takes part in the election. */
export interface SchedulerEvents extends ConnectionEvents {
  /** From now on this one enqueues. */
  leading: [];
  /** It does not lead any more: the connection was lost, or it stops. */
  standby: [];
  enqueued: [tick: EnqueuedTick];
  missed: [ticks: MissedTicks];
}
