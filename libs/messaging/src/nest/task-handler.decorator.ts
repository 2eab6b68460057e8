import { UsePipes, applyDecorators } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { TaskRunner } from '../execution';
import { PayloadPipe } from './payload.pipe';

/** Handlers with this transport id are registered with WorkerTransport and with no other microservice of the app. */
export const TASK_TRANSPORT = Symbol('mercury.tasks');

/** How tasks of this type are attempted. Defaults: those of the module. */
export type TaskHandlerOptions = Omit<TaskRunner, 'run'>;

/**
 * Makes a controller's method the handler of one task type. `@Payload()` gives it the payload, validated when its type
 * is a class with class-validator decorators; `@Ctx()` gives it the TaskContext. Guards, pipes, interceptors and
 * exception filters work as on any Nest handler.
 *
 * Return: success. Throw `DiscardTask`: dead letter now. Throw `RetryTask` or anything else: another attempt, as long
 * as there are any. A payload that fails validation is a dead letter at once, code `INVALID_PAYLOAD`.
 */
export function TaskHandler(type: string, options: TaskHandlerOptions = {}): MethodDecorator {
  return applyDecorators(MessagePattern(type, TASK_TRANSPORT, { ...options }), UsePipes(PayloadPipe));
}
