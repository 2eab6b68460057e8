import { WorkerClient } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Puts two messages on a queue and exits. It neither knows nor waits for anybody who receives them. */
export default async function send(): Promise<void> {
  // Connects with the first `put`, and declares the queue if it does not exist yet. Closed at the end of this function.
  await using client = new WorkerClient({ rabbitUrl, queueName: 'example_hello' });

  for (const text of ['Hello', 'World']) {
    // Resolves when the broker has confirmed that it has stored the message: from here on it waits in the queue.
    await client.put({ type: 'greeting', text });
    console.log(`Sent ${text}`);
  }
}
