import { acquireBroker } from './broker';

/**
 * Sets RABBITMQ_URL, unless it is set, to the development broker of this checkout, which ends with the last command that
 * uses it.
 */
export async function useBroker(): Promise<void> {
  if (process.env['RABBITMQ_URL']) return;
  const broker = await acquireBroker({ shared: true, log: (line) => console.error(line) });
  process.env['RABBITMQ_URL'] = broker.amqpUrl;
  process.env['RABBITMQ_MANAGER_URL'] ??= broker.managementUrl;
  console.error(`Using RabbitMQ ${broker.version} (${broker.from}) at ${broker.amqpUrl}`);
}
