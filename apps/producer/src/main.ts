import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { exitOnConfigError, runUntilSignal } from '@mercury/messaging/nest';
import { startProducer } from './producer.app';
import { readProducerEnvironment } from './producer.config';

async function main(): Promise<void> {
  const environment = readProducerEnvironment();
  const app = await runUntilSignal(() => startProducer(environment), { delayMs: environment.SHUTDOWN_DELAY_MS });
  const url = await app.getUrl();
  const log = new Logger('Producer');
  log.log(`Takes tasks for queue "${environment.QUEUE_NAME}": POST ${url}/v1/tasks, described at ${url}/docs`);
  if (!environment.API_KEYS_FILE) log.warn('API_KEYS_FILE is not set: whoever reaches this address may post.');
}

main().catch(exitOnConfigError);
