import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Logger } from 'nestjs-pino';
import { Readiness, requestLimits } from '@mercury/messaging/nest';
import { Metrics } from '@mercury/messaging/nest/metrics';
import { guards } from './access/guard';
import { answerClientError } from './answers/client-errors';
import { setHeaders } from './answers/headers.hook';
import { answerOtherMethods } from './answers/other-methods';
import { cutUnreadAnswers } from './answers/unread-answers.hook';
import { parseBodies } from './bodies/parse-bodies';
import { serveOpenApi } from './openapi';
import { ProblemFilter, problemFor } from './problems/problem.filter';
import type { ProducerEnvironment } from './producer.config';
import { ProducerModule } from './producer.module';

const REQUEST_TIMEOUT_MS = 30_000;
/** So long may requests that run at the shutdown still take. */
const LAST_REQUESTS_MS = 5_000;
/** A task id of 255 characters, each percent-encoded. */
const LONGEST_PARAMETER = 765;

/** The producer, listening, also while the broker is away. */
export async function startProducer(environment: ProducerEnvironment): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(ProducerModule.with(environment), producerAdapter(), {
    bufferLogs: true,
    bodyParser: false,
  });
  app.useLogger(app.get(Logger));
  await prepareHttp(app, environment);
  await app.listen(environment.PORT, environment.HOST);
  return app;
}

export function producerAdapter(): FastifyAdapter {
  const limits = requestLimits(REQUEST_TIMEOUT_MS);
  return new FastifyAdapter({
    ...limits,
    routerOptions: { maxParamLength: LONGEST_PARAMETER, ignoreTrailingSlash: true },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    // A request without one is answered below, like all others.
    http: { ...limits.http, requireHostHeader: false },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      const problem = problemFor(error);
      reply.header('x-content-type-options', 'nosniff').type('application/problem+json');
      void reply.status(problem.status).send(JSON.stringify(problem));
    },
  });
}

/** Everything between a connection and the controllers. */
export async function prepareHttp(app: NestFastifyApplication, environment: ProducerEnvironment): Promise<void> {
  app.useGlobalFilters(new ProblemFilter());
  const fastify = app.getHttpAdapter().getInstance();
  const server = fastify.server;
  const checks = [
    setHeaders(app.get(Readiness)),
    cutUnreadAnswers(),
    ...guards(fastify, environment, app.get(Metrics)),
  ];
  // One hook: each costs every request a turn of its own.
  fastify.addHook('onRequest', (request, reply, done) => {
    try {
      for (const check of checks) check(request, reply);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  parseBodies(fastify);
  // What a client expects besides 100-continue is its own affair (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  // A request that never ends must not keep the process from ending.
  fastify.addHook('preClose', (done) => {
    setTimeout(() => server.closeAllConnections(), LAST_REQUESTS_MS).unref();
    done();
  });
  const answerRest = answerOtherMethods(fastify);
  await app.init();
  // After it: routes have the error handler that there is when they are added.
  serveOpenApi(app);
  answerRest();
}
