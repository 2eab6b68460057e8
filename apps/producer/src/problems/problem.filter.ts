import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BrokerError, DeadLetterError, InvalidMessageError, MercuryError, PublishError } from '@mercury/messaging';
import { Problem, ProblemException, problemOf } from './problem';

const RETRY_AFTER_S = 1;

/** What Fastify and Nest refuse by themselves, by status. */
const KNOWN: Readonly<Record<number, [code: string, detail: string]>> = {
  400: ['MALFORMED_REQUEST', 'The request is malformed.'],
  404: ['NOT_FOUND', 'There is nothing here. See /docs.'],
  413: ['BODY_TOO_LARGE', 'The body is too large.'],
  414: ['URL_TOO_LONG', 'The URL is too long.'],
  415: ['NOT_JSON', 'The content type must be application/json.'],
};

/** Why dead letters cannot be read or replayed, by code. */
const DEAD_LETTER_STATUS: Readonly<Record<string, number>> = {
  DEAD_LETTERS_INVALID: 422,
  DEAD_LETTERS_BUSY: 409,
  ORIGIN_QUEUE_MISSING: 409,
  DEAD_QUEUE_MISSING: 503,
};

/** Every error of the API leaves through here, as application/problem+json. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger('Http');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    if (isHealthResult(error)) return void reply.status(error.getStatus()).send(error.getResponse());
    const problem = problemFor(error);
    if (problem.status === 500) {
      const { method, url } = http.getRequest<FastifyRequest>();
      this.log.error({ err: error, method, url });
    }
    // What is still to come of it would have to be read, however small its pieces are.
    const { headers, complete } = http.getRequest<FastifyRequest>().raw;
    if (headers['transfer-encoding'] !== undefined && !complete) reply.header('connection', 'close');
    if ([409, 503].includes(problem.status)) reply.header('retry-after', String(RETRY_AFTER_S));
    // A string: Fastify would take an object for application/json.
    reply.status(problem.status).header('content-type', 'application/problem+json').send(JSON.stringify(problem));
  }
}

/** @param id the id that a task was to get, for an answer whose outcome is unknown. */
export function problemFor(error: unknown, id?: string): Problem {
  if (error instanceof ProblemException) return error.problem;
  if (error instanceof PublishError) return publishProblem(error, id);
  if (error instanceof InvalidMessageError) {
    const tooLarge = error.code.endsWith('_TOO_LARGE');
    return problemOf(tooLarge ? 413 : 422, error.code, error.message);
  }
  if (error instanceof DeadLetterError) {
    return problemOf(DEAD_LETTER_STATUS[error.code] ?? 503, error.code, error.message);
  }
  if (error instanceof BrokerError || (error instanceof MercuryError && error.code === 'STOPPED')) {
    return problemOf(503, error.code, error.message);
  }
  const status = statusOf(error);
  if (status !== undefined) return refusal(status, error as Error);
  return problemOf(500, 'INTERNAL_ERROR', 'Something is wrong on this side. The log says what.');
}

function refusal(status: number, { code, message }: Error & { code?: unknown }): Problem {
  if (code === 'FST_ERR_BAD_URL')
    return problemOf(400, 'MALFORMED_URL', 'The path has a % without two hexadecimal digits.');
  const known = KNOWN[status];
  if (!known) return problemOf(status, 'REFUSED', message);
  return problemOf(status, known[0], status === 400 ? `${known[1]} (${message})` : known[1]);
}

function publishProblem(error: PublishError, id: string | undefined): Problem {
  if (error.outcome !== 'unknown') return problemOf(503, error.code, `Not stored: ${error.message}`);
  return problemOf(503, error.code, error.message, { outcome: 'unknown', ...(id === undefined ? {} : { id }) });
}

/** Of what Nest, Fastify and its plugins refuse. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const status = error instanceof HttpException ? error.getStatus() : 'statusCode' in error && Number(error.statusCode);
  if (status === false) return undefined;
  return status >= 400 && status < 500 ? status : undefined;
}

/** Terminus answers with a report of its own, which orchestrators and people know. */
function isHealthResult(error: unknown): error is HttpException {
  if (!(error instanceof HttpException)) return false;
  const response = error.getResponse();
  return typeof response === 'object' && 'details' in response;
}
