const SAME_SIGNAL_MS = 500;

/** Resolves at the first SIGINT or SIGTERM from now on. A later one ends the process at once, with exit code 1. */
export function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        firstAtMs ??= performance.now();
        // npm passes a signal on beside the terminal's own: two so close together are one.
        if (performance.now() - firstAtMs > SAME_SIGNAL_MS) process.exit(1);
        resolve();
      });
    }
  });
}
