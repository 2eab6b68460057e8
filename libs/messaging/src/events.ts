import { EventEmitter } from 'node:events';
import type { MercuryError, PublishFailure } from './errors';
import { printable } from './json-text';
import type { Outcome } from './tasks/outcome';
import type { Task } from './tasks/task';

/** What a WorkerClient, a Worker, a Logger or an EventBus tells about its connection. */
export interface ConnectionEvents {
  ready: [];
  /** Something is wrong and is being tried again. Without a listener it becomes a Node warning on stderr. */
  problem: [problem: MercuryError];
}

/** An attempt whose outcome the broker knows. The type is empty when the message could not be decoded. */
export interface SettledAttempt {
  id: string;
  type: string;
  attempt: number;
  queue: string;
  outcome: Outcome;
  /** The time of the handler. */
  durationMs: number;
}

export interface WorkerEvents extends ConnectionEvents {
  started: [task: Task];
  settled: [attempt: SettledAttempt];
  /** A task that has succeeded before came again: it was acknowledged, and neither started nor settled. */
  skipped: [task: Task];
}

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

export interface ClientEvents extends ConnectionEvents {
  /** Once per publish. `outcome` is `confirmed` or why not. */
  published: [outcome: 'confirmed' | PublishFailure, durationMs: number];
}

/** Typed events whose listeners cannot hurt the one who emits: what a listener throws becomes a Node warning. */
export class Events<EventMap extends Record<keyof EventMap, unknown[]>> {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  on<Name extends keyof EventMap & string>(name: Name, listener: (...args: EventMap[Name]) => void): this {
    this.emitter.on(name, listener as (...args: unknown[]) => void);
    return this;
  }

  once<Name extends keyof EventMap & string>(name: Name, listener: (...args: EventMap[Name]) => void): this {
    this.emitter.once(name, listener as (...args: unknown[]) => void);
    return this;
  }

  off<Name extends keyof EventMap & string>(name: Name, listener: (...args: EventMap[Name]) => void): this {
    this.emitter.off(name, listener as (...args: unknown[]) => void);
    return this;
  }

  emit<Name extends keyof EventMap & string>(name: Name, ...args: EventMap[Name]): void {
    if (this.emitter.listenerCount(name) === 0) {
      if (name !== 'problem') return;
      const problem = args[0] as MercuryError;
      process.emitWarning(printable(problem.message), { type: 'MercuryWarning', code: problem.code });
      return;
    }
    // One by one: a listener that fails must not keep the others from hearing.
    for (const listener of this.emitter.rawListeners(name)) {
      try {
        const result: unknown = (listener as (...args: unknown[]) => unknown)(...args);
        if (result instanceof Promise) result.catch(warn);
      } catch (error) {
        warn(error);
      }
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
