import { BaseRpcContext } from '@nestjs/microservices';
import type { Task } from '../tasks/task';

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
