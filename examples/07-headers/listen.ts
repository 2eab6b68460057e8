import { EventBus } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** Prints the events whose headers fit: `listen all`, both headers must be there; `listen any`, one is enough. */
export default async function listen([match]: string[]): Promise<void> {
  if (match !== 'all' && match !== 'any') throw new Error('Which headers must fit: listen all, or listen any?');
  await using bus = new EventBus({ rabbitUrl, name: 'example_headers' }, 'headers');

  // `x-match` is for the exchange: how many of the other headers an event must have, with the same values.
  const binding = { headers: { 'x-match': match, format: 'pdf', kind: 'report' } };
  const subscription = bus.subscribe([binding], ({ data }) => console.log(`Received ${String(data['text'])}`));
  await subscription.ready;
  console.log(`Waiting for ${match} of format=pdf kind=report. To exit press Ctrl-C`);
  await untilCtrlC();
}
