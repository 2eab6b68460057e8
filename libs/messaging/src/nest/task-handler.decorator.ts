import { SetMetadata, UsePipes, applyDecorators } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { catchError, isObservable, throwError } from 'rxjs';
import type { TaskRunner } from '../tasks/execution';
import { currentCall } from './handler-call';
import { PayloadPipe } from './payload.pipe';

/** Handlers with this transport id are registered with WorkerTransport and with no other microservice of the app. */
export const TASK_TRANSPORT = Symbol('mercury.tasks');

/** How tasks of this type are attempted. Defaults: those of the module. */
export type TaskHandlerOptions = Omit<TaskRunner, 'run'>;

/** What WorkerTransport finds with a handler; without the mark it is one of other transports, whose pattern names none. */
export interface TaskHandlerExtras extends TaskHandlerOptions {
  readonly [TASK_TRANSPORT]?: true;
}

/**
 * Makes a controller's method the handler of one task type. `@Payload()` gives it the payload, validated when its type
 * is a class with class-validator decorators; `@Ctx()` gives it the TaskContext. Guards, pipes, interceptors and
 * exception filters work as on any Nest handler.
 *
 * Return: success. Throw `DiscardTask`: dead letter now. Throw `PostponeTask`: later, and no attempt. Throw
 * `RetryTask` or anything else: another attempt, as long as there are any. A payload that fails validation is a dead letter at once, code `INVALID_PAYLOAD`. An exception filter
 * may throw `DiscardTask`, `RetryTask` or `PostponeTask` to decide what follows a failure; whatever else it does, the attempt has failed. An
 * interceptor that answers without calling the handler has done the task's work: that is a success.
 */
export function TaskHandler(type: string, options: TaskHandlerOptions = {}): MethodDecorator {
  const extras: TaskHandlerExtras = { ...options, [TASK_TRANSPORT]: true };
  return applyDecorators(
    NotedByCall,
    SetMetadata(TASK_TRANSPORT, true),
    MessagePattern(type, TASK_TRANSPORT, extras),
    UsePipes(PayloadPipe),
  );
}

/** Lets the call know that its handler has begun, and what fails inside the Observable that it returned. */
const NotedByCall: MethodDecorator = (_target, _name, descriptor: PropertyDescriptor): void => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  const noted = function (this: unknown, ...args: unknown[]): unknown {
    const call = currentCall.getStore();
    call?.handlerBegins();
    const beganAtMs = performance.now();
    const result = method.apply(this, args);
    call?.handlerPaused(performance.now() - beganAtMs);
    if (!call || !isObservable(result)) return result;
    return result.pipe(
      catchError((error: unknown) => {
        call.failed(error);
        return throwError(() => error);
      }),
    );
  };
  Object.defineProperty(noted, 'name', { value: method.name });
  for (const key of Reflect.getMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), noted);
  }
  descriptor.value = noted;
};
