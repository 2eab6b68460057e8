import { setMaxListeners } from 'node:events';

/**
 * A signal that aborts with the first of others, or when its time is over. Unlike `AbortSignal.any` and `AbortSignal.timeout` it
 * holds what it depends on: Node 20 collects a time limit that only a combined signal knows of, and it never comes. `release` when it is done
 * with: a listener that is left on a signal of a whole life is one more with each use.
 */
export class LinkedSignal {
  private readonly controller = controllerForMany();
  private timer: NodeJS.Timeout | undefined;
  private readonly onAbort = ({ target }: Event) => this.end((target as AbortSignal).reason);

  constructor(
    private readonly sources: readonly AbortSignal[],
    limit?: { timeoutMs: number; reason: unknown },
  ) {
    for (const source of sources) source.addEventListener('abort', this.onAbort);
    const aborted = sources.find((source) => source.aborted);
    if (aborted) this.end(aborted.reason);
    else if (limit) this.timer = setTimeout(() => this.end(limit.reason), limit.timeoutMs);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The signal follows the others no longer. Safe to call twice. */
  release(): void {
    clearTimeout(this.timer);
    for (const source of this.sources) source.removeEventListener('abort', this.onAbort);
  }

  private end(reason: unknown): void {
    this.release();
    this.controller.abort(reason);
  }
}

/** Resolves once one of the signals has aborted, and then listens to none of them. */
export function anyAborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some(({ aborted }) => aborted)) return resolve();
    const finish = () => {
      for (const signal of signals) signal.removeEventListener('abort', finish);
      resolve();
    };
    for (const signal of signals) signal.addEventListener('abort', finish);
  });
}

/** Its signal has a listener for each of many things under way: Node.js takes more than ten for a leak. */
export function controllerForMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
