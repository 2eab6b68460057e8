import { WorkerClient } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Puts one task for each number, which says how many milliseconds it takes: `send 5000 100 100`. */
export default async function send(durationsMs: string[]): Promise<void> {
  if (durationsMs.length === 0) throw new Error('How long do the tasks take? For example: send 5000 100 100');
  await using client = new WorkerClient({ rabbitUrl, queueName: 'example_capacity' });

  for (const [index, durationMs] of durationsMs.entries()) {
    await client.put({ type: 'work', number: index + 1, durationMs: Number(durationMs) });
    console.log(`Sent task ${index + 1} of ${durationMs} ms`);
  }
}
