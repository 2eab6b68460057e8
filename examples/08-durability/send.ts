import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { PublishError, WorkerClient } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Puts numbered tasks, one after another, and goes on whatever happens to the broker: `send [count] [pauseMs]`. */
export default async function send([count = '5', pauseMs = '0']: string[]): Promise<void> {
  // Three things keep a task over a restart: the queue is durable, the message is persistent (delivery_mode 2), and
  // the sender waits for the confirm. The library always does all three.
  await using client = new WorkerClient({ rabbitUrl, queueName: 'example_durability' });
  client.events.on('problem', (problem) => console.log(`Connection problem: ${problem.code}`));

  for (let number = 1; number <= Number(count); number++) {
    await putUntilConfirmed(client, number);
    await pause(Number(pauseMs));
  }
  console.log(`All ${count} tasks are confirmed`);
}

async function putUntilConfirmed(client: WorkerClient, number: number): Promise<void> {
  const id = randomUUID();
  for (;;) {
    try {
      // Resolves with the confirm: the broker has written the task to disk.
      await client.put({ type: 'count', number }, { id });
      return console.log(`Confirmed ${number}`);
    } catch (error) {
      if (!(error instanceof PublishError)) throw error;
      // Perhaps it is stored and only the confirm was lost. So put it again with the same id: then a receiver can
      // tell that both are the same task.
      console.log(`Not confirmed ${number} (${error.code}): once more, with the same id`);
      await pause(200);
    }
  }
}
