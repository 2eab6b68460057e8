import { Worker, type Task } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

interface Count {
  number: number;
}

class Receiver extends Worker<Count> {
  private readonly seenIds = new Set<string>();

  async handler(task: Task<Count>): Promise<void> {
    // Nothing is lost, but a broken connection may bring a task twice, always with the same id.
    const again = this.seenIds.has(task.id) ? ' again' : '';
    this.seenIds.add(task.id);
    console.log(`Received ${task.body.number}${again}`);
  }
}

/** Prints what arrives. When the broker goes away, the receiver connects again by itself. */
export default async function receive(): Promise<void> {
  await using receiver = new Receiver({ rabbitUrl, queueName: 'example_durability', capacity: 1 });
  receiver.events.on('problem', (problem) => console.log(`Connection problem: ${problem.code}`));
  await receiver.start();
  console.log('Waiting for tasks. To exit press Ctrl-C');
  await untilCtrlC();
}
