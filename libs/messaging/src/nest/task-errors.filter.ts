import { Catch, HttpException, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { DiscardTask } from '../errors';
import { currentTask } from './task.context';

/** As a type for `@Catch` it fits every error that is thrown while a task runs, and none outside of one. */
class ThrownByTask {
  static [Symbol.hasInstance](): boolean {
    return currentTask.getStore() !== undefined;
  }
}

/**
 * The last filter of all: without it Nest would replace every error by "Internal server error", and a dead letter
 * could not say why it is dead. Filters of the application come first and may turn the error into another.
 */
@Catch(ThrownByTask)
export class TaskErrorsFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => (isRefusedInput(error) ? asDiscard(error) : error));
  }
}

/** What the application's own ValidationPipe throws: another attempt would read the same payload. */
function isRefusedInput(error: unknown): error is HttpException {
  return error instanceof HttpException && [400, 422].includes(error.getStatus());
}

function asDiscard(error: HttpException): DiscardTask {
  const response = error.getResponse();
  const detail = typeof response === 'object' && 'message' in response ? response.message : error.message;
  const problems = Array.isArray(detail) ? detail.join('; ') : String(detail);
  return new DiscardTask(`The payload is invalid: ${problems}.`, { code: 'INVALID_PAYLOAD', cause: error });
}
