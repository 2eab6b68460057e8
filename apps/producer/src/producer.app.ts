import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import { serveOpenApi } from './openapi';
import { ProblemFilter } from './problems/problem.filter';
import type { ProducerEnvironment } from './producer.config';
import { ProducerModule } from './producer.module';
import { Ndjson } from './tasks/batch';

/** Room for a batch; a single task's payload has its own, smaller limit. */
const BODY_LIMIT_BYTES = 16 * 1_048_576;

/** The producer, listening, also while the broker is away. */
export async function startProducer(environment: ProducerEnvironment): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({ bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: 'idle' });
  const app = await NestFactory.create<NestFastifyApplication>(ProducerModule.with(environment), adapter, {
    bufferLogs: true,
    // Fastify's own JSON parser, which refuses prototype poisoning, and no parser for forms.
    bodyParser: false,
  });
  app.useLogger(app.get(Logger));
  app.useGlobalFilters(new ProblemFilter());
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeContentTypeParser('text/plain');
  fastify.addContentTypeParser('application/x-ndjson', { parseAs: 'string' }, (_request, body, done) =>
    done(null, new Ndjson(String(body))),
  );
  serveOpenApi(app);
  await app.listen(environment.PORT, environment.HOST);
  return app;
}
