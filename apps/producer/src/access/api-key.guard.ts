import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemException, problemOf } from '../problems/problem';
import type { ApiKeys } from './api-keys';

/** Undefined when none are asked for. */
export const API_KEYS = Symbol('api keys');

/** Who posts: the name of the API key. */
export interface IdentifiedRequest extends FastifyRequest {
  client?: string;
}

/** Lets in who has a key: `Authorization: Bearer <key>`. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(@Inject(API_KEYS) private readonly keys: ApiKeys | undefined) {}

  canActivate(context: ExecutionContext): boolean {
    if (!this.keys) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<IdentifiedRequest>();
    const [, key] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const client = key === undefined ? undefined : this.keys.nameOf(key);
    if (client === undefined) {
      http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
      throw new ProblemException(problemOf(401, 'KEY_REQUIRED', 'Send an API key: Authorization: Bearer <key>.'));
    }
    request.client = client;
    return true;
  }
}
