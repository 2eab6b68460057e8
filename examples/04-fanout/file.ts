import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EventBus } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** Appends every event to a file: `file [path]`. */
export default async function file([path = 'logs/example-fanout.jsonl']: string[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using bus = new EventBus({ rabbitUrl, name: 'example_fanout' }, 'fanout');

  // A temporary queue of its own again: so it gets every event, and takes none away from the other listeners.
  const subscription = bus.subscribe([{}], async ({ data }) => {
    await appendFile(path, `${JSON.stringify(data)}\n`);
    console.log(`Wrote ${String(data['text'])} to ${path}`);
  });
  await subscription.ready;
  console.log('Waiting for events. To exit press Ctrl-C');
  await untilCtrlC();
}
