import { connect } from 'amqplib';
import type { Peer } from './peer';

/** The limit: what the protocol costs when nothing is added to it. */
export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const connection = await connect(rabbitUrl, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    const options = { persistent: true, mandatory: true, contentType: 'application/json' };
    channel.on('return', () => fail(new Error('A message was returned.')));
    return {
      send: (body, done) => {
        channel.sendToQueue(queueName, Buffer.from(JSON.stringify(body)), options, (error: unknown) => done(error));
      },
      close: () => connection.close(),
    };
  },

  async openReceiver({ rabbitUrl, queueName }, capacity, onTask) {
    const connection = await connect(rabbitUrl, { noDelay: true });
    const channel = await connection.createChannel();
    await channel.prefetch(capacity);
    await channel.consume(queueName, (message) => {
      if (!message) return fail(new Error('The consumer was cancelled.'));
      onTask(() => JSON.parse(message.content.toString()) as unknown);
      channel.ack(message);
    });
    return {
      close: async () => {
        await channel.close();
        await connection.close();
      },
    };
  },
};

function fail(error: Error): never {
  throw error;
}
