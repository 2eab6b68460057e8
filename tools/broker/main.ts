import { acquireBroker } from './index';

const SAME_SIGNAL_MS = 500;

/** `npm run broker`: the development broker of this checkout, until Ctrl-C. */
async function main(): Promise<void> {
  const broker = await acquireBroker({ shared: true, log: (line) => console.log(line) });
  const management = new URL(broker.managementUrl);
  console.log(
    [
      '',
      `RabbitMQ ${broker.version} runs (${broker.from}); its data stays in .cache/broker/dev`,
      `  AMQP        ${broker.amqpUrl}`,
      `  Management  ${management.origin}   user ${management.username}, password ${management.password}`,
      '',
      'Other commands of this checkout find it by themselves. For your own programs:',
      `  export RABBITMQ_URL=${broker.amqpUrl}`,
      '',
      'Ctrl-C ends it.',
    ].join('\n'),
  );
  await firstSignal();
  console.log('Stopping ...');
  await broker.release();
  process.exit(0);
}

function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        firstAtMs ??= performance.now();
        // npm passes a signal on beside the terminal's own; a later one means it.
        if (performance.now() - firstAtMs > SAME_SIGNAL_MS) process.exit(1);
        resolve();
      });
    }
  });
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
