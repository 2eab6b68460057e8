import type { Task } from '../../tasks/task';
import { HandlerContext } from './handler.context';

/** What `@Ctx()` gives to the handler of a task. */
export class TaskContext extends HandlerContext<Task> {
  constructor(task: Task<object>) {
    super(task as Task);
  }

  get task(): Task {
    return this.getArgByIndex(0) as Task;
  }

  get pattern(): string {
    return this.task.type;
  }
}
