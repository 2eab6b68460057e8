import { UsePipes, ValidationPipe, applyDecorators } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { ValidationError } from 'class-validator';
import { DiscardTask } from '../errors';

/** Handlers with this transport id are registered with WorkerTransport and with no other microservice of the app. */
export const TASK_TRANSPORT = Symbol('mercury.tasks');

export interface TaskHandlerOptions {
  /** How long one attempt may take, in milliseconds. Default: the module's `handlerTimeoutMs`. */
  timeoutMs?: number;
}

/**
 * Makes a controller's method the handler of one task type. `@Payload()` gives it the payload, validated when its type
 * is a class with class-validator decorators; `@Ctx()` gives it the TaskContext. Guards, pipes, interceptors and
 * exception filters work as on any Nest handler.
 *
 * Return: success. Throw `DiscardTask`: dead letter now. Throw `RetryTask` or anything else: another attempt, as long
 * as there are any. A payload that fails validation is a dead letter at once, code `INVALID_PAYLOAD`.
 */
export function TaskHandler(type: string, options: TaskHandlerOptions = {}): MethodDecorator {
  return applyDecorators(
    MessagePattern(type, TASK_TRANSPORT, { ...options }),
    UsePipes(
      new ValidationPipe({
        transform: true,
        whitelist: true,
        forbidNonWhitelisted: true,
        exceptionFactory: (errors) => invalidPayload(errors),
      }),
    ),
  );
}

function invalidPayload(errors: ValidationError[]): DiscardTask {
  const problems = errors.flatMap((error) => problemsOf(error, ''));
  return new DiscardTask(`The payload is invalid: ${problems.join('; ')}.`, { code: 'INVALID_PAYLOAD' });
}

function problemsOf(error: ValidationError, parent: string): string[] {
  const path = `${parent}/${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((constraint) => `${path}: ${constraint}`);
  return [...own, ...(error.children ?? []).flatMap((child) => problemsOf(child, path))];
}
