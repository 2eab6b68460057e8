import { Logger, type INestApplicationContext } from '@nestjs/common';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** npm passes a signal on beside the terminal's own: two so close together are one. */
const SAME_SIGNAL_MS = 500;

/**
 * Starts an application and resolves to it. The first SIGINT or SIGTERM shuts it down, also while it is still
 * starting, and ends the process with exit code 0; a second one ends it at once.
 */
export async function runUntilSignal<App extends INestApplicationContext>(start: () => Promise<App>): Promise<App> {
  let firstAtMs: number | undefined;
  const onSignal = () => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      new Logger('Shutdown').log('Finishing what runs. A second signal ends it at once.');
      void shutDown(starting);
    } else if (performance.now() - firstAtMs > SAME_SIGNAL_MS) {
      process.exit(1);
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const starting = start();
  return starting;
}

async function shutDown(starting: Promise<INestApplicationContext>): Promise<void> {
  try {
    const app = await starting;
    await app.close();
    process.exit(0);
  } catch (error) {
    console.error('The application did not shut down cleanly:', error);
    process.exit(1);
  }
}
