import { Logger } from '@mercury/messaging';
import { rabbitUrl } from '../lesson';

/** Publishes one event of a level: `send info` or `send critical`. */
export default async function send([level]: string[]): Promise<void> {
  if (level !== 'info' && level !== 'critical') throw new Error('Which level: send info, or send critical?');
  // Who only publishes does not `start` the logger: that would subscribe.
  await using logger = new Logger({ rabbitUrl, name: 'logger_metaclass' });

  if (level === 'info') await logger.info({ info: true });
  else await logger.critical({ critical: true });
  console.log(`Sent ${level}`);
}
