import { Catch, type PipeTransform, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { currentCall } from './handler-call';

/** As a type for `@Catch` it fits every error that is thrown while a task runs, and none outside of one. */
class ThrownByTask {
  static [Symbol.hasInstance](): boolean {
    return currentCall.getStore() !== undefined;
  }
}

/** The last filter of all: without it Nest would log each error, and replace it by "Internal server error". */
@Catch(ThrownByTask)
export class TaskErrorsFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** As a type for `@Catch` it fits nothing, and has seen everything: Nest asks each filter in turn whether it fits. */
class Nothing {
  static [Symbol.hasInstance](error: unknown): boolean {
    currentCall.getStore()?.failed(error);
    return false;
  }
}

/** The first filter of all, which notes each error before the application's own filters make something of it. */
@Catch(Nothing)
export class ErrorWitness implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** The first pipe of all, which changes nothing: what is thrown between it and the handler was thrown by a pipe. */
export class PipeWitness implements PipeTransform {
  transform(value: unknown): unknown {
    currentCall.getStore()?.pipesBegin();
    return value;
  }
}
