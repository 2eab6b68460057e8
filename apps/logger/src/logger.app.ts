import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import { requestLimits } from '@mercury/messaging/nest';
import type { LoggerEnvironment } from './logger.config';
import { LoggerModule } from './logger.module';

/** Health and metrics are asked for in one packet: who takes longer only holds a connection. */
const REQUEST_TIMEOUT_MS = 10_000;

/** The logger, subscribed and listening, also while the broker is away. */
export async function startLogger(environment: LoggerEnvironment): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    LoggerModule.with(environment),
    new FastifyAdapter({
      ...requestLimits(REQUEST_TIMEOUT_MS),
      // Of answers that nobody takes.
      connectionTimeout: REQUEST_TIMEOUT_MS,
      forceCloseConnections: true,
    }),
    { bufferLogs: true },
  );
  app.useLogger(app.get(Logger));
  await app.listen(environment.PORT, environment.HOST);
  return app;
}
