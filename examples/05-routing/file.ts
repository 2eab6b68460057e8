import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EventBus } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** Appends what is critical to a file: `file [path]`. */
export default async function file([path = 'logs/example-routing.jsonl']: string[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using bus = new EventBus({ rabbitUrl, name: 'example_routing' }, 'direct');

  // Bound with one key: what is only info never reaches this queue.
  const subscription = bus.subscribe([{ key: 'critical' }], async ({ key, data }) => {
    await appendFile(path, `${JSON.stringify({ level: key, ...data })}\n`);
    console.log(`Wrote ${key}: ${String(data['text'])} to ${path}`);
  });
  await subscription.ready;
  console.log('Waiting for critical. To exit press Ctrl-C');
  await untilCtrlC();
}
