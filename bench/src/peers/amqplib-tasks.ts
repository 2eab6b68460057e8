import { connect } from 'amqplib';
import { v7 as uuidv7 } from 'uuid';
import { peer as naive } from './amqplib';
import type { Peer } from './peer';

/** amqplib with the messages of Mercury, each with an id, and parsed on arrival: what any library with tasks has to pay. */
export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const connection = await connect(rabbitUrl, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    channel.on('return', () => {
      throw new Error('A message was returned.');
    });
    return {
      send: (body, done) => {
        const nowMs = Date.now();
        const properties = {
          messageId: uuidv7(),
          type: body.type,
          contentType: 'application/json',
          persistent: true,
          mandatory: true,
          timestamp: Math.floor(nowMs / 1_000),
          appId: 'mercury',
          headers: { 'x-attempt': 1, 'x-enqueued-at-ms': nowMs },
        };
        const content = Buffer.from(JSON.stringify(body));
        channel.publish('mercury.tasks', queueName, content, properties, (error: unknown) => done(error));
      },
      close: () => connection.close(),
    };
  },

  openReceiver: (target, capacity, onTask) =>
    naive.openReceiver(target, capacity, (read) => {
      const body = read();
      onTask(() => body);
    }),
};
