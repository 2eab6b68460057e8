import type { FastifyReply } from 'fastify';
import { ProblemException, problemOf } from '../problems/problem';
import { isApi, type IdentifiedRequest } from './api-key.hook';
import { RateLimit } from './rate-limit';

/** Counts per API key, or per address where keys are not asked for; one count for all routes, before a body is read. */
export function limitRate(perMinute: number) {
  const limit = new RateLimit(perMinute);
  return (request: IdentifiedRequest, reply: FastifyReply): void => {
    if (!isApi(request)) return;
    const { isUsedUp, remaining, resetS } = limit.take(request.client ?? request.ip);
    reply.headers({
      'x-ratelimit-limit': perMinute,
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': resetS,
    });
    if (!isUsedUp) return;
    reply.header('retry-after', resetS);
    const detail = 'Too many requests. Retry-After says when to come back.';
    throw new ProblemException(problemOf(429, 'TOO_MANY_REQUESTS', detail));
  };
}
