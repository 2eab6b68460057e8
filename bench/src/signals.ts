/** The first SIGINT or SIGTERM ends what was started, and then the process; its roles end with it. */
export function endOnSignal(close: () => Promise<void>): void {
  let isEnding = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (isEnding) return;
      isEnding = true;
      void close().finally(() => process.exit(1));
    });
  }
}
