import { WorkWriter } from './ledger';

/** What a task of the load asks its worker to do. */
export interface WorkBody {
  /** How long the work takes. */
  ms?: number;
  fail?: boolean;
  /** The worker's process dies of it, as of a bug in native code. */
  kill?: boolean;
}

/** Opens the ledger of this process. What would end the process unseen is written down, and then does end it. */
export function useLedger(file: string): WorkWriter {
  const ledger = new WorkWriter(file);
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (error: unknown) => {
      ledger.write('unhandled', event, 1, error instanceof Error ? (error.stack ?? error.message) : String(error));
      process.exit(70);
    });
  }
  // The suite is gone, however it ended: nobody would ever end this process.
  process.once('disconnect', () => {
    if (!told) process.exit(72);
  });
  return ledger;
}

let told = false;

/** Resolves at SIGTERM. */
export function untilTold(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => {
      told = true;
      resolve();
    });
    // Ctrl-C in a terminal reaches every process of the group: the suite decides who ends when.
    process.on('SIGINT', () => undefined);
  });
}

/** From now on SIGUSR2 keeps the event loop from turning for so long, as a long calculation does. */
export function standStillWhenTold(durationMs: number): void {
  process.on('SIGUSR2', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs));
}
