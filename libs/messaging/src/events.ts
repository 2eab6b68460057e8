import { EventEmitter } from 'node:events';
import type { MercuryError } from './errors';
import type { Outcome } from './outcome';
import type { Task } from './task';

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
}

export interface ClientEvents extends ConnectionEvents {
  /** Once per publish. `outcome` is `confirmed` or why not. */
  published: [outcome: string, durationMs: number];
}

/** Typed events whose listeners cannot hurt the one who emits: what a listener throws becomes a Node warning. */
export class Events<Map extends Record<keyof Map, unknown[]>> {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  on<Name extends keyof Map & string>(name: Name, listener: (...args: Map[Name]) => void): this {
    this.emitter.on(name, listener as (...args: unknown[]) => void);
    return this;
  }

  once<Name extends keyof Map & string>(name: Name, listener: (...args: Map[Name]) => void): this {
    this.emitter.once(name, listener as (...args: unknown[]) => void);
    return this;
  }

  off<Name extends keyof Map & string>(name: Name, listener: (...args: Map[Name]) => void): this {
    this.emitter.off(name, listener as (...args: unknown[]) => void);
    return this;
  }

  emit<Name extends keyof Map & string>(name: Name, ...args: Map[Name]): void {
    if (name === 'problem' && this.emitter.listenerCount(name) === 0) {
      const problem = args[0] as MercuryError;
      process.emitWarning(problem.message, { type: 'MercuryWarning', code: problem.code });
      return;
    }
    try {
      this.emitter.emit(name, ...args);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}
