import type { INestApplicationContext } from '@nestjs/common';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** npm passes a signal on beside the terminal's own: two so close together are one. */
const SAME_SIGNAL_MS = 500;

/** The first SIGINT or SIGTERM shuts the application down and ends with exit code 0; a second one ends it at once. */
export function shutDownOnSignals(app: INestApplicationContext): void {
  app.enableShutdownHooks([...SIGNALS], { useProcessExit: true });
  let firstAtMs: number | undefined;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      firstAtMs ??= performance.now();
      if (performance.now() - firstAtMs > SAME_SIGNAL_MS) process.exit(1);
    });
  }
}
