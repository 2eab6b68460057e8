import type { FastifyReply, FastifyRequest } from 'fastify';

/** What Swagger UI needs: its own scripts, styles within its page, and pictures within its styles. */
const PAGES_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Tells browsers to take an answer for what it says that it is, and to show no page in a frame; and tells callers to leave once
 * the process does.
 */
export function setHeaders(process: { readonly isShuttingDown: boolean }) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-content-type-options', 'nosniff');
    if (process.isShuttingDown) reply.header('connection', 'close');
    if (!request.routeOptions.url?.startsWith('/docs')) return;
    reply.header('content-security-policy', PAGES_POLICY).header('x-frame-options', 'DENY');
  };
}
