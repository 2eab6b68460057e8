import { EventBus } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Publishes one event for each routing key: words with dots between them, `send info.disk disk.info`. */
export default async function send(keys: string[]): Promise<void> {
  if (keys.length === 0) throw new Error('With which routing keys? For example: send info.disk disk.info');
  await using bus = new EventBus({ rabbitUrl, name: 'example_topics' }, 'topic');

  for (const key of keys) {
    await bus.publish(key, { sentAtMs: Date.now() });
    console.log(`Sent ${key}`);
  }
}
