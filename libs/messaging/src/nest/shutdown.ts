import { isatty } from 'node:tty';
import { Logger, type INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Readiness } from './readiness';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** npm passes a signal on beside the terminal's own: two so close together are one. */
const SAME_SIGNAL_MS = 500;

export interface ShutdownOptions {
  /**
   * So long, in milliseconds, the application goes on as before after the first signal, except that readiness (of
   * `HealthModule`) fails: until load balancers have heard of it and send nothing more. Default 0.
   */
  delayMs?: number;
}

/**
 * Starts an application and resolves to it. The first SIGINT or SIGTERM shuts it down, also while it is still
 * starting, and ends the process with exit code 0; a second one ends it at once. SIGHUP ends it only when it says that the
 * terminal is gone: else it is a request to read files again, for who listens.
 */
export async function runUntilSignal<App extends INestApplicationContext>(
  start: () => Promise<App>,
  { delayMs = 0 }: ShutdownOptions = {},
): Promise<App> {
  let firstAtMs: number | undefined;
  const onSignal = () => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      new Logger('Shutdown').log('Finishing what runs. A second signal ends it at once.');
      void shutDown(starting, delayMs);
    } else if (performance.now() - firstAtMs > SAME_SIGNAL_MS) {
      process.exit(1);
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const hadTerminal = isatty(1);
  process.on('SIGHUP', () => hadTerminal && !isatty(1) && onSignal());
  const starting = start();
  return starting;
}

async function shutDown(starting: Promise<INestApplicationContext>, delayMs: number): Promise<void> {
  try {
    const app = await starting;
    readinessOf(app)?.shutDown();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    await app.close();
    process.exit(0);
  } catch (error) {
    console.error('The application did not shut down cleanly:', error);
    process.exit(1);
  }
}

/** Undefined in an application without `HealthModule`. Looked for, not asked for: where it is missing Nest would end the process. */
function readinessOf(app: INestApplicationContext): Readiness | undefined {
  const providers = [...app.get(ModulesContainer).values()].map((module) => module.providers.get(Readiness)?.instance);
  return providers.find((instance): instance is Readiness => instance instanceof Readiness);
}
