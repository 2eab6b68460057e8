import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { exitOnConfigError, runUntilSignal } from '@mercury/messaging/nest';
import { startConsumer } from './consumer.app';
import { readConsumerEnvironment } from './consumer.config';

async function main(): Promise<void> {
  const environment = readConsumerEnvironment();
  const app = await runUntilSignal(() => startConsumer(environment));
  const log = new Logger('Consumer');
  log.log(`Executes up to ${environment.WORKER_CAPACITY} tasks at once from queue "${environment.QUEUE_NAME}"`);
  log.log(`Health and metrics: ${await app.getUrl()}/health/ready, /metrics`);
  if (!environment.WEBHOOK_SECRET) log.warn('WEBHOOK_SECRET is not set: webhooks go out unsigned.');
}

main().catch(exitOnConfigError);
