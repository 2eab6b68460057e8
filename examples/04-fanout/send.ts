import { EventBus } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Publishes one event to whoever listens now. That nobody does is no error: `send "some text"`. */
export default async function send([text = 'Something happened']: string[]): Promise<void> {
  // A publisher knows the exchange only, no queue. A fanout exchange copies the event to every queue bound to it.
  await using bus = new EventBus({ rabbitUrl, name: 'example_fanout' }, 'fanout');
  // A fanout exchange does not look at the routing key.
  await bus.publish('', { text });
  console.log(`Sent ${text}`);
}
