import { setTimeout as pause } from 'node:timers/promises';

/** Waits for a state that tells nobody when it comes: asks again until it holds. Fails with `what` at the deadline. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await pause(20);
  }
}

/** What a promise resolves to. Fails with `what` at the deadline: a promise that nobody keeps has no sentence of its own. */
export async function inTime<Value>(what: string, promise: Promise<Value>, timeoutMs = 10_000): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${timeoutMs} ms: ${what}`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Resolves with the first `count` values that are pushed. */
export class Collector<Value> {
  readonly values: Value[] = [];

  push(value: Value): void {
    this.values.push(value);
  }

  async atLeast(count: number, timeoutMs = 10_000): Promise<Value[]> {
    await until(`${count} values, have ${this.values.length}`, () => this.values.length >= count, timeoutMs);
    return this.values;
  }
}

/** A promise with its handles, to hold a handler for as long as a test wants. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

/** Aborts when its time is over, unless the process has ended by then. */
export function timeLimit(timeoutMs: number, what: string): AbortSignal {
  const late = new AbortController();
  setTimeout(() => late.abort(new Error(`Not within ${timeoutMs} ms: ${what}`)), timeoutMs).unref();
  return late.signal;
}
