import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import type { LoggerEnvironment } from './logger.config';
import { LoggerModule } from './logger.module';

/** The logger, subscribed and listening, also while the broker is away. */
export async function startLogger(environment: LoggerEnvironment): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    LoggerModule.with(environment),
    // Health and metrics are asked for in one packet: who takes longer only holds a connection.
    new FastifyAdapter({
      forceCloseConnections: true,
      requestTimeout: 10_000,
      http: { connectionsCheckingInterval: 2_000 },
    }),
    { bufferLogs: true },
  );
  app.useLogger(app.get(Logger));
  await app.listen(environment.PORT, environment.HOST);
  return app;
}
