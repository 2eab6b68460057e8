import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import type { LoggerEnvironment } from './logger.config';
import { LoggerModule } from './logger.module';

/** The logger, subscribed and listening, also while the broker is away. */
export async function startLogger(environment: LoggerEnvironment): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    LoggerModule.with(environment),
    new FastifyAdapter({ forceCloseConnections: true }),
    { bufferLogs: true },
  );
  app.useLogger(app.get(Logger));
  await app.listen(environment.PORT, environment.HOST);
  return app;
}
