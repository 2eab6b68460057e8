import { EventBus } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** Prints every event. */
export default async function stdout(): Promise<void> {
  await using bus = new EventBus({ rabbitUrl, name: 'example_fanout' }, 'fanout');

  // Declares a temporary queue, for this subscriber alone: exclusive, named by the broker, gone with the connection.
  // An empty binding is enough: a fanout exchange has no keys.
  const subscription = bus.subscribe([{}], ({ data }) => console.log(`Received ${String(data['text'])}`));
  await subscription.ready;
  console.log('Waiting for events. To exit press Ctrl-C');
  await untilCtrlC();
}
