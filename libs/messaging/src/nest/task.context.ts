import { AsyncLocalStorage } from 'node:async_hooks';
import { BaseRpcContext } from '@nestjs/microservices';
import type { Task } from '../task';

/** What `@Ctx()` gives to a task handler, and what guards and interceptors find with `switchToRpc().getContext()`. */
export class TaskContext extends BaseRpcContext<[Task]> {
  constructor(task: Task) {
    super([task]);
  }

  get task(): Task {
    return this.getArgByIndex(0) as Task;
  }
}

/** The task that the current asynchronous call chain executes. */
export const currentTask = new AsyncLocalStorage<Task>();
