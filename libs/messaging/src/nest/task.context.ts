import { AsyncLocalStorage } from 'node:async_hooks';
import { BaseRpcContext } from '@nestjs/microservices';
import type { Task } from '../task';

/** What `@Ctx()` gives to a task handler, and what guards and interceptors find with `switchToRpc().getContext()`. */
export class TaskContext extends BaseRpcContext<[Task]> {
  /** For tests of handlers; in an application Nest has made it by then. */
  constructor(task: Task<object>) {
    super([task as Task]);
  }

  get task(): Task {
    return this.getArgByIndex(0) as Task;
  }
}

/** The task that the current asynchronous call chain executes. */
export const currentTask = new AsyncLocalStorage<Task>();
