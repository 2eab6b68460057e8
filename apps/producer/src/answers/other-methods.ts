import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { ProblemException, problemOf } from '../problems/problem';

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const;

/**
 * Remembers the routes that are added from now on. Call what it returns when all are there: the other methods of their paths then
 * answer with those that there are, instead of 404.
 */
export function answerOtherMethods(fastify: FastifyInstance): () => void {
  const methodsByPath = new Map<string, Set<string>>();
  let isComplete = false;
  fastify.addHook('onRoute', ({ url, method }) => {
    if (isComplete) return;
    const path = url.replace(/(.)\/$/, '$1');
    const methods = methodsByPath.get(path) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsByPath.set(path, methods);
  });
  return () => {
    isComplete = true;
    for (const [url, methods] of methodsByPath) {
      const others = METHODS.filter((method) => !methods.has(method)) as HTTPMethods[];
      if (url.includes('*') || others.length === 0) continue;
      const allow = [...methods, 'OPTIONS'].sort().join(', ');
      fastify.route({ method: others, url, handler: (request, reply) => answer(request, reply, allow) });
    }
  };
}

async function answer({ method }: FastifyRequest, reply: FastifyReply, allow: string): Promise<void> {
  reply.header('allow', allow);
  if (method === 'OPTIONS') return void reply.status(204).send();
  throw new ProblemException(problemOf(405, 'METHOD_NOT_ALLOWED', `There is no ${method} here, but ${allow}.`));
}
