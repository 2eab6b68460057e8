import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import type { WorkerOptions } from '@mercury/messaging';
import { useLedger, untilTold, type WorkBody } from '../work';

/** A worker as many are written: it acks what it has received, and then does it. Proves that the checker sees a loss. */
async function main([file = '', text = '{}']: string[]): Promise<void> {
  const ledger = useLedger(file);
  const { rabbitUrl, queueName, capacity = 1 } = JSON.parse(text) as WorkerOptions & { rabbitUrl: string };
  const connection = await connect(rabbitUrl);
  const channel = await connection.createChannel();
  await channel.prefetch(capacity);
  await channel.consume(queueName, (message) => {
    if (!message) return;
    channel.ack(message);
    const id = String(message.properties.messageId);
    const { ms = 0 } = JSON.parse(message.content.toString()) as WorkBody;
    ledger.write('started', id);
    void pause(ms).then(() => ledger.write('finished', id));
  });
  ledger.write('ready', '-');
  await untilTold();
  await connection.close();
  process.exit(0);
}

void main(process.argv.slice(2));
