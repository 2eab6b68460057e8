import { firstSignal } from '../first-signal';
import { acquireBroker } from './index';

/** `npm run broker`: the development broker of this checkout, until Ctrl-C. */
async function main(): Promise<void> {
  const broker = await acquireBroker({ shared: true, log: (line) => console.log(line) });
  const management = new URL(broker.managementUrl);
  console.log(
    [
      '',
      `RabbitMQ ${broker.version} runs (${broker.from}); its data stays (.cache/broker/dev, or a Docker volume)`,
      `  AMQP        ${broker.amqpUrl}`,
      `  Management  ${management.origin}   user ${management.username}, password ${management.password}`,
      '',
      'Other commands of this checkout find it by themselves. For your own programs:',
      `  export RABBITMQ_URL=${broker.amqpUrl}`,
      '',
      'Ctrl-C ends it, once no other command uses it.',
    ].join('\n'),
  );
  await firstSignal();
  console.log('Stopping ...');
  await broker.release();
  process.exit(0);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
