import { BaseRpcContext } from '@nestjs/microservices';
import type { Task } from '../../tasks/task';
import type { HandlerCall } from './handler-call';

/** What a context knows of the call that it was made for. */
export const CALL = Symbol('mercury.call');

/** What `@Ctx()` gives to a task handler, and what guards and interceptors find with `switchToRpc().getContext()`. */
export class TaskContext extends BaseRpcContext<[Task]> {
  /** Undefined where somebody else has made the context, such as a test of a handler. */
  [CALL]: HandlerCall | undefined;

  /** For tests of handlers; in an application Nest has made it by then. */
  constructor(task: Task<object>) {
    super([task as Task]);
  }

  get task(): Task {
    return this.getArgByIndex(0) as Task;
  }
}
