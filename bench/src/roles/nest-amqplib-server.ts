import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { serveTasks } from '../nest-server';
import type { Target } from '../peers/peer';
import { play } from './child';

/** What Nest itself costs: the bare server's publish behind a controller and a DTO. */
play<Target, void>(async ({ rabbitUrl, queueName }, bench) => {
  const connection = await connect(rabbitUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const url = await serveTasks(queueName, (type, payload) => {
    const id = randomUUID();
    const options = { persistent: true, mandatory: true, contentType: 'application/json', messageId: id, type };
    return new Promise((resolve, reject) => {
      channel.sendToQueue(queueName, Buffer.from(JSON.stringify(payload)), options, (error: unknown) => {
        if (error) reject(error instanceof Error ? error : new Error('A task was not stored.'));
        else resolve(id);
      });
    });
  });
  bench.ready(url);
  await bench.until('stop');
});
