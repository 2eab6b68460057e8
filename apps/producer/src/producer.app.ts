import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Logger } from 'nestjs-pino';
import { parse } from 'secure-json-parse';
import { requireApiKey } from './access/api-key.hook';
import { API_KEYS } from './access/api-keys';
import { serveOpenApi } from './openapi';
import { ProblemException, problemOf } from './problems/problem';
import { ProblemFilter, problemFor } from './problems/problem.filter';
import type { ProducerEnvironment } from './producer.config';
import { ProducerModule } from './producer.module';
import { Ndjson } from './tasks/batch';

/** Room for a batch; a single task's payload has its own, smaller limit. */
const BODY_LIMIT_BYTES = 16 * 1_048_576;
const REQUEST_TIMEOUT_MS = 30_000;
/** So long may requests that run at the shutdown still take. */
const LAST_REQUESTS_MS = 5_000;
/** A task id of 255 characters, each percent-encoded. */
const LONGEST_PARAMETER = 765;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The producer, listening, also while the broker is away. */
export async function startProducer(environment: ProducerEnvironment): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      const problem = problemFor(error);
      void reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
    },
  });
  const app = await NestFactory.create<NestFastifyApplication>(ProducerModule.with(environment), adapter, {
    bufferLogs: true,
    bodyParser: false,
  });
  app.useLogger(app.get(Logger));
  app.useGlobalFilters(new ProblemFilter());
  const fastify = app.getHttpAdapter().getInstance();
  parseBodies(fastify);
  fastify.addHook('onRequest', requireApiKey(app.get(API_KEYS)));
  fastify.addHook('onRequest', refuseEncodings);
  // A request that never ends must not keep the process from ending.
  fastify.addHook('preClose', (done) => {
    setTimeout(() => fastify.server.closeAllConnections(), LAST_REQUESTS_MS).unref();
    done();
  });
  serveOpenApi(app);
  await app.listen(environment.PORT, environment.HOST);
  return app;
}

/** A compressed body would be read as if it were not. */
async function refuseEncodings(request: FastifyRequest): Promise<void> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return;
  throw new ProblemException(problemOf(415, 'NOT_JSON', `Send the body without content encoding, not as ${encoding}.`));
}

/** JSON in UTF-8 without prototype poisoning, NDJSON for batches, and nothing else. */
function parseBodies(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => malformed(() => parse(decode(body)) as unknown),
  );
  fastify.addContentTypeParser(
    'application/x-ndjson',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => malformed(() => new Ndjson(decode(body))),
  );
}

function decode(body: Buffer): string {
  return UTF8.decode(body);
}

function malformed<Body>(read: () => Body): Body {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProblemException(
      problemOf(400, 'MALFORMED_JSON', `The body is not well-formed JSON in UTF-8. (${reason})`),
    );
  }
}
