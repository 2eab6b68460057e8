import { setTimeout as pause } from 'node:timers/promises';

/** Waits for a state that tells nobody when it comes. Fails with `what` at the deadline; resolves to how long it took. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
  everyMs = 25,
): Promise<number> {
  const startedAtMs = performance.now();
  while (!(await holds())) {
    const waitedMs = performance.now() - startedAtMs;
    if (waitedMs > timeoutMs) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await pause(everyMs);
  }
  return performance.now() - startedAtMs;
}

/** Lets time pass where time itself is the dose. */
export const letPass = (durationMs: number): Promise<void> => pause(durationMs);

/** Fails with `what` when the work takes longer. */
export async function within<Result>(timeoutMs: number, what: string, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${timeoutMs} ms: ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
