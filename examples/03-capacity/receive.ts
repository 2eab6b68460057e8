import { setTimeout as pause } from 'node:timers/promises';
import { Worker, type Task } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

interface Work {
  number: number;
  durationMs: number;
}

class Receiver extends Worker<Work> {
  async handler(task: Task<Work>): Promise<void> {
    const { number, durationMs } = task.body;
    console.log(`Started task ${number} (${this.runningCount} of ${this.capacity} running)`);
    await pause(durationMs);
    console.log(`Finished task ${number}`);
  }
}

/** Runs as many tasks at once as its capacity: `receive` one, `receive 3` three. */
export default async function receive([capacity = '1']: string[]): Promise<void> {
  // The capacity is the consumer's prefetch: the broker sends it so many messages without having their acks, and no
  // more. The others wait in the queue, where any receiver that has room takes them.
  await using receiver = new Receiver({ rabbitUrl, queueName: 'example_capacity', capacity: Number(capacity) });
  await receiver.start();
  console.log(`Waiting for tasks, capacity ${capacity}. To exit press Ctrl-C`);
  await untilCtrlC();
}
