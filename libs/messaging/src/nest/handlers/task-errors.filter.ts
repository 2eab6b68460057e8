import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';

/** What the filters of a task are asked about now. */
const underWay = new Set<unknown>();

/** As a type for `@Catch` it fits every error of a task, and none of anything else. */
class ThrownByTask {
  static [Symbol.hasInstance](error: unknown): boolean {
    return underWay.has(error);
  }
}

/** The last filter of all: without it Nest would log each error with its stack, though the failure is told by Mercury. */
@Catch(ThrownByTask)
export class TaskErrorsFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** Lets the filters do with an error of a task what they do. */
export async function whileFiltered<Result>(error: unknown, filter: () => Promise<Result>): Promise<Result> {
  underWay.add(error);
  try {
    return await filter();
  } finally {
    underWay.delete(error);
  }
}
