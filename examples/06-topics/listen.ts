import { EventBus } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** Prints the events whose routing key fits one of the patterns: `listen 'info.*'`. */
export default async function listen(patterns: string[]): Promise<void> {
  if (patterns.length === 0) throw new Error("Which pattern? For example: listen 'info.*' (in quotes, for the shell)");
  await using bus = new EventBus({ rabbitUrl, name: 'example_topics' }, 'topic');

  // In a pattern `*` stands for exactly one word, `#` for any number of words, also none.
  // An event that fits several patterns of the same queue still arrives once.
  const subscription = bus.subscribe(
    patterns.map((key) => ({ key })),
    ({ key }) => console.log(`Received ${key}`),
  );
  await subscription.ready;
  console.log(`Waiting for ${patterns.join(' and ')}. To exit press Ctrl-C`);
  await untilCtrlC();
}
