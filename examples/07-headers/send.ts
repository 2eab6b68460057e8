import { EventBus } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Publishes one event with the headers that you give it: `send format=pdf kind=report`. */
export default async function send(args: string[]): Promise<void> {
  await using bus = new EventBus({ rabbitUrl, name: 'example_headers' }, 'headers');
  const headers = Object.fromEntries(args.map((arg) => arg.split('=') as [string, string]));
  // A headers exchange looks at the headers only: the routing key stays empty.
  await bus.publish('', { text: args.join(' ') }, { headers });
  console.log(`Sent ${args.join(' ')}`);
}
