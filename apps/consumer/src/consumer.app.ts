import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import { requestLimits } from '@mercury/messaging/nest';
import type { ConsumerEnvironment } from './consumer.config';
import { ConsumerModule } from './consumer.module';

/** Health and metrics are asked for in one packet: who takes longer only holds a connection. */
const REQUEST_TIMEOUT_MS = 10_000;

/** The consumer, consuming and listening, also while the broker is away. */
export async function startConsumer(environment: ConsumerEnvironment): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    ConsumerModule.with(environment),
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
