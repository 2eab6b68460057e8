import { EventBus } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** Prints the events of both levels. */
export default async function stdout(): Promise<void> {
  await using bus = new EventBus({ rabbitUrl, name: 'example_routing' }, 'direct');

  // One queue with two bindings. A direct exchange compares the routing key with the key of each binding: equal or not.
  const subscription = bus.subscribe([{ key: 'info' }, { key: 'critical' }], ({ key, data }) =>
    console.log(`Received ${key}: ${String(data['text'])}`),
  );
  await subscription.ready;
  console.log('Waiting for info and critical. To exit press Ctrl-C');
  await untilCtrlC();
}
