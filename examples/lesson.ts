/** The only code that the examples share: where the broker is, and how a role that stays begins and ends. */

export const rabbitUrl = process.env['RABBITMQ_URL'] ?? 'amqp://localhost';

/** `npm` passes a Ctrl-C on beside the terminal's own: two signals so close together are one. */
const SAME_SIGNAL_MS = 500;

// As long as a role only connects or sends, there is nothing to finish first.
let stop: () => void = () => process.exit(0);
let firstAtMs: number | undefined;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    firstAtMs ??= performance.now();
    if (performance.now() - firstAtMs > SAME_SIGNAL_MS) process.exit(1);
    stop();
  });
}

/** Resolves at Ctrl-C (SIGINT) or SIGTERM, so that the role can stop cleanly. A second Ctrl-C ends it at once. */
export function untilCtrlC(): Promise<void> {
  return new Promise((resolve) => (stop = resolve));
}
