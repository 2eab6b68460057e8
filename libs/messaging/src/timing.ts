/**
 * How long to wait before trying something on the broker again: exponential with full jitter, so that many
 * processes that lost the same broker do not come back in step.
 */
export function backoffMs(failures: number, capMs: number): number {
  const ceilingMs = Math.min(capMs, 100 * 2 ** Math.min(failures, 16));
  return Math.round(50 + Math.random() * ceilingMs);
}

/** Waits, or returns early when one of the signals aborts. */
export function delay(timeoutMs: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some(({ aborted }) => aborted)) return resolve();
    const finish = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, timeoutMs);
    for (const signal of signals) signal.addEventListener('abort', finish);
  });
}

/** Waits for work, whether it fails or not, but no longer than the deadline. */
export async function within(timeoutMs: number, work: Promise<unknown> | undefined): Promise<void> {
  if (!work) return;
  const done = new AbortController();
  const end = () => done.abort();
  work.then(end, end);
  await delay(timeoutMs, done.signal);
}
