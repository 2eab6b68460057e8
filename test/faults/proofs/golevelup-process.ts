import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import type { WorkerOptions } from '@mercury/messaging';
import { useLedger, untilTold, type WorkBody } from '../work';

/** @golevelup/nestjs-rabbitmq's own subscriber, with its defaults, in the place of our worker. */
async function main([file = '', text = '{}']: string[]): Promise<void> {
  const ledger = useLedger(file);
  const { rabbitUrl, queueName, capacity = 1 } = JSON.parse(text) as WorkerOptions & { rabbitUrl: string };
  const connection = new AmqpConnection({ uri: rabbitUrl, prefetchCount: capacity, enableDirectReplyTo: false });
  await connection.init();
  const handle = async (body?: WorkBody, raw?: { properties: { messageId?: unknown } }) => {
    const id = String(raw?.properties.messageId);
    ledger.write('started', id);
    if (body?.fail) throw new Error('It was told to fail.');
    ledger.write('finished', id);
  };
  await connection.createSubscriber(handle, { queue: queueName, createQueueIfNotExists: false }, 'work');
  ledger.write('ready', '-');
  await untilTold();
  process.exit(0);
}

void main(process.argv.slice(2));
