import { HttpException } from '@nestjs/common';
import { DiscardTask, PostponeTask, RetryTask } from '../../errors';
import { noteHeld } from '../../tasks/execution';
import type { Task } from '../../tasks/task';

/** Boxed, because anything can be thrown, also nothing. */
export interface Thrown {
  error: unknown;
}

/**
 * One call of a handler through Nest, and what it has really come to: an exception filter or an interceptor may answer a failure with a
 * value, and Nest then tells only that.
 */
export class HandlerCall {
  private stage: 'guards' | 'pipes' | 'handler' = 'guards';
  private first: Thrown | undefined;

  constructor(private readonly task?: Task) {}

  /** Why it has failed so far; undefined where it has not. */
  get reason(): Thrown | undefined {
    return this.first;
  }

  /** Whether it has got as far as the method itself. */
  get isInHandler(): boolean {
    return this.stage === 'handler';
  }

  pipesBegin(): void {
    if (this.stage === 'guards') this.stage = 'pipes';
  }

  /** An interceptor may call the handler again: what counts is its last call. */
  handlerBegins(): void {
    this.stage = 'handler';
    this.first = undefined;
  }

  /** Its synchronous beginning is over, which took so long. */
  handlerPaused(heldMs: number): void {
    if (this.task) noteHeld(this.task, heldMs);
  }

  /** The first error is why the attempt has failed: what comes after it comes of it. */
  failed(error: unknown): void {
    this.first ??= { error: this.stage === 'pipes' && isRefusedInput(error) ? asDiscard(error) : error };
  }

  /**
   * Why the attempt has failed; undefined when it has not. Filters may decide what follows, with a DiscardTask, a
   * RetryTask or a PostponeTask, but neither hide the failure nor its reason.
   * @param filtered what the call ended with, behind the filters.
   */
  failure(filtered: Thrown | undefined): Thrown | undefined {
    const { first } = this;
    if (!first || !filtered) return first ?? filtered;
    const { error } = filtered;
    if (!decidesItself(error)) return first;
    if (error !== first.error) error.cause ??= first.error;
    return filtered;
  }
}

function decidesItself(error: unknown): error is Error {
  return error instanceof DiscardTask || error instanceof RetryTask || error instanceof PostponeTask;
}

/** What the application's own ValidationPipe throws: another attempt would read the same payload. */
function isRefusedInput(error: unknown): error is HttpException {
  return error instanceof HttpException && [400, 422].includes(error.getStatus());
}

function asDiscard(error: HttpException): DiscardTask {
  const response = error.getResponse();
  const detail = typeof response === 'object' && 'message' in response ? response.message : error.message;
  const problems = Array.isArray(detail) ? detail.join('; ') : String(detail);
  return new DiscardTask(`The payload is invalid: ${problems}.`, { code: 'INVALID_PAYLOAD' });
}
