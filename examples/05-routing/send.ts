import { EventBus, PublishError } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Publishes one event with a level as its routing key: `send info|critical|something [text]`. */
export default async function send([level = 'info', text = 'Something happened']: string[]): Promise<void> {
  await using bus = new EventBus({ rabbitUrl, name: 'example_routing' }, 'direct');
  try {
    // Without `mandatory` an event that no queue takes is dropped in silence. With it the broker returns the event.
    await bus.publish(level, { text }, { mandatory: true });
    console.log(`Sent ${level}: ${text}`);
  } catch (error) {
    if (!(error instanceof PublishError) || error.outcome !== 'returned') throw error;
    console.log(`Nobody takes ${level}: the broker returned the event (${error.code})`);
  }
}
