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
    new FastifyAdapter({ forceCloseConnections: true }),
    { bufferLogs: true },
  );
  app.useLogger(app.get(Logger));
  connectWorker(app);
  await app.startAllMicroservices();
  await app.listen(environment.PORT, environment.HOST);
  return app;
}
