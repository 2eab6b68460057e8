import type { FastifyRequest } from 'fastify';
import { ProblemException, problemOf } from '../problems/problem';

const MOST_BYTES = 256 * 1_048_576;

/** A request whose body counts. */
interface HoldingRequest extends FastifyRequest {
  heldBytes?: number;
}

/** How much memory the long bodies of all requests together may take, from their first byte until they are answered. */
export class BodyBudget {
  private heldBytes = 0;

  constructor(private readonly mostBytes = MOST_BYTES) {}

  /** @throws ProblemException 503 `OVERLOADED`. */
  hold(request: HoldingRequest, bytes: number): void {
    if (this.heldBytes + bytes > this.mostBytes) {
      const detail = 'Not stored: too many long requests are under way. Repeat it later.';
      throw new ProblemException(problemOf(503, 'OVERLOADED', detail));
    }
    this.heldBytes += bytes;
    request.heldBytes = (request.heldBytes ?? 0) + bytes;
  }

  /** Once it is answered, or its caller is gone. */
  release(request: HoldingRequest): void {
    if (request.heldBytes === undefined) return;
    this.heldBytes -= request.heldBytes;
    request.heldBytes = 0;
  }
}
