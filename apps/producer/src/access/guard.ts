import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Gauge } from 'prom-client';
import type { Metrics } from '@mercury/messaging/nest/metrics';
import { ProblemException, problemOf } from '../problems/problem';
import type { ProducerEnvironment } from '../producer.config';
import { requireApiKey } from './api-key.hook';
import { ApiKeysFile } from './api-keys-file';
import { checkContent } from './content.hook';
import { limitRate } from './rate-limit.hook';
import { refuseOtherSites } from './site.hook';

/** Looks at a request before its body is read. @throws ProblemException to refuse it. */
export type Check = (request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Who may ask, and how much, in the order in which a request is looked at. Not guards of Nest: those come after the body of
 * a stranger was read and parsed.
 */
export function guards(fastify: FastifyInstance, environment: ProducerEnvironment, metrics: Metrics): Check[] {
  const { API_KEYS_FILE, ALLOW_UNAUTHENTICATED, ALLOWED_HOSTS, RATE_LIMIT_PER_MINUTE } = environment;
  const checks: Check[] = [requireHost];
  if (API_KEYS_FILE) {
    const keys = new ApiKeysFile(API_KEYS_FILE);
    fastify.addHook('onClose', async () => keys.close());
    measureStale(keys, metrics);
    checks.push(requireApiKey(keys));
  } else {
    const isOpen = ALLOW_UNAUTHENTICATED === 'true';
    checks.push(refuseOtherSites({ allowedHosts: ALLOWED_HOSTS, isOpen }));
  }
  if (RATE_LIMIT_PER_MINUTE !== undefined) checks.push(limitRate(RATE_LIMIT_PER_MINUTE));
  return [...checks, checkContent];
}

/** HTTP/1.1 demands it (RFC 9112, 3.2). */
function requireHost({ headers, raw }: FastifyRequest): void {
  if (headers.host !== undefined || raw.httpVersion !== '1.1') return;
  throw new ProblemException(problemOf(400, 'MALFORMED_REQUEST', 'The request has no Host header.'));
}

function measureStale(keys: ApiKeysFile, metrics: Metrics): void {
  new Gauge({
    name: 'mercury_api_keys_stale',
    help: '1 while the file of API keys is wrong and those that were read before count.',
    registers: [metrics.registry],
    collect() {
      this.set(Number(keys.isStale));
    },
  });
}
