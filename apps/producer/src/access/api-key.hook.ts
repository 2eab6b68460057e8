import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemException, problemOf } from '../problems/problem';
import type { ApiKeys } from './api-keys';

/** Who posts: the name of the API key. */
export interface IdentifiedRequest extends FastifyRequest {
  client?: string;
}

/** By the matched route, not the path as it was written, which may be the same in other words. */
export function isApi({ routeOptions }: Pick<FastifyRequest, 'routeOptions'>): boolean {
  return routeOptions.url?.startsWith('/v1/') ?? false;
}

/**
 * Lets in who has a key: `Authorization: Bearer <key>`. A hook of Fastify, because a guard of Nest would come after the body
 * of a stranger was read and parsed. Health, metrics and documentation stay open.
 */
export function requireApiKey(keys: Pick<ApiKeys, 'nameOf'>) {
  return (request: IdentifiedRequest, reply: FastifyReply): void => {
    if (!isApi(request)) return;
    const [, key] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const client = key === undefined ? undefined : keys.nameOf(key);
    if (client === undefined) {
      reply.header('www-authenticate', 'Bearer');
      throw new ProblemException(problemOf(401, 'KEY_REQUIRED', 'Send an API key: Authorization: Bearer <key>.'));
    }
    request.client = client;
  };
}
