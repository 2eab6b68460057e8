import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';

const STALLED_MS = 10_000;

/**
 * Cuts connections on which an answer waits and none of it is taken any more: it is in memory, and what makes it (a replay)
 * waits, too. An answer that has not been made yet may take as long as it wants.
 */
export function cutUnreadAnswers(stalledMs = STALLED_MS) {
  return (_request: FastifyRequest, reply: FastifyReply): void => {
    reply.raw.setTimeout(stalledMs).on('timeout', cutIfUnread);
  };
}

/** Called when nothing went in or out for so long; what is written later begins a new time. */
function cutIfUnread(socket: Socket): void {
  if (socket.writableLength > 0) socket.destroy();
}
