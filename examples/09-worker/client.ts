import { WorkerClient } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Puts one task, or as many as you say: `client 4`. */
export default async function client([count = '1']: string[]): Promise<void> {
  await using workerClient = new WorkerClient({ rabbitUrl, queueName: 'worker_metaclass' });

  for (let number = 1; number <= Number(count); number++) {
    // Any JSON object with a type. `put` resolves to the task's id when the broker has stored it.
    const id = await workerClient.put({ type: 'event' });
    console.log(`Put task ${id}`);
  }
}
