import { setTimeout as pause } from 'node:timers/promises';
import { Worker, type Task } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

class EventWorker extends Worker {
  /** Return: the task succeeded. Throw: it is tried again later, and after the last attempt kept as a dead letter. */
  async handler(task: Task): Promise<void> {
    console.log(`Started ${JSON.stringify(task.body)}, task ${task.id} (${this.runningCount} of ${this.capacity})`);
    await pause(1_000);
    console.log(`Finished task ${task.id}`);
  }
}

/** Executes the tasks of the queue, two at once. */
export default async function worker(): Promise<void> {
  // Disposed of (`stop`) at the end of this function: takes no more tasks, waits for those that run, then closes.
  await using eventWorker = new EventWorker({ rabbitUrl, queueName: 'worker_metaclass', capacity: 2 });
  await eventWorker.start();
  console.log('Waiting for tasks. To exit press Ctrl-C');
  await untilCtrlC();
}
