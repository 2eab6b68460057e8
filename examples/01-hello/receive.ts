import { Worker, type Task } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

interface Greeting {
  text: string;
}

/** A task is a message with work to do; a worker consumes the queue and calls `handler` for each. */
class Receiver extends Worker<Greeting> {
  async handler(task: Task<Greeting>): Promise<void> {
    console.log(`Received ${task.body.text}`);
  }
}

/** Stays and prints what arrives. Start several: each message goes to one of them, in turn. */
export default async function receive(): Promise<void> {
  // Whoever comes first, sender or receiver, declares the queue. Capacity 1: one message at a time, then the next.
  await using receiver = new Receiver({ rabbitUrl, queueName: 'example_hello', capacity: 1 });
  await receiver.start();
  console.log('Waiting for messages. To exit press Ctrl-C');
  await untilCtrlC();
}
