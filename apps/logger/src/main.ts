import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { exitOnConfigError, runUntilSignal } from '@mercury/messaging/nest';
import { startLogger } from './logger.app';
import { readLoggerEnvironment } from './logger.config';

async function main(): Promise<void> {
  const environment = readLoggerEnvironment();
  const app = await runUntilSignal(() => startLogger(environment));
  const log = new Logger('Logger');
  log.log(`Listens to the event bus "${environment.LOGGER_NAME}", sinks ${environment.LOGGER_SINKS}`);
  log.log(`Health and metrics: ${await app.getUrl()}/health/ready, /metrics`);
}

main().catch(exitOnConfigError);
