import { EventEmitter } from 'node:events';
import type { MercuryError } from './errors';
import { printable } from './json-text';

/** What a WorkerClient, a Worker, a Logger or an EventBus tells about its connection. */
export interface ConnectionEvents {
  ready: [];
  /** Something is wrong and is being tried again. Without a listener it becomes a Node warning on stderr. */
  problem: [problem: MercuryError];
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
