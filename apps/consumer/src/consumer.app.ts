import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import { connectWorker } from '@mercury/messaging/nest';
import type { ConsumerEnvironment } from './consumer.config';
import { ConsumerModule } from './consumer.module';

/** The consumer, consuming and listening, also while the broker is away. */
export async function startConsumer(environment: ConsumerEnvironment): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    ConsumerModule.with(environment),
    // Health and metrics are asked for in one packet: who takes longer only holds a connection.
    new FastifyAdapter({
      forceCloseConnections: true,
      requestTimeout: 10_000,
      http: { connectionsCheckingInterval: 2_000 },
    }),
    { bufferLogs: true },
  );
  app.useLogger(app.get(Logger));
  connectWorker(app);
  await app.startAllMicroservices();
  await app.listen(environment.PORT, environment.HOST);
  return app;
}
