import { WorkerClient } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Puts one task that keeps its receiver busy for as long as you say: `send 10000` for ten seconds. */
export default async function send([durationMs = '10000']: string[]): Promise<void> {
  await using client = new WorkerClient({ rabbitUrl, queueName: 'example_acknowledge' });
  await client.put({ type: 'work', durationMs: Number(durationMs) });
  console.log(`Sent a task of ${durationMs} ms`);
}
