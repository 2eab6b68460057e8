import { Connection } from 'rabbitmq-client';
import type { Peer } from './peer';

export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const connection = new Connection(rabbitUrl);
    const publisher = connection.createPublisher({ confirm: true });
    const envelope = { routingKey: queueName, durable: true, mandatory: true };
    return {
      send: (body, done) => void publisher.send(envelope, body).then(() => done(), done),
      close: async () => {
        await publisher.close();
        await connection.close();
      },
    };
  },

  async openReceiver({ rabbitUrl, queueName }, capacity, onTask) {
    const connection = new Connection(rabbitUrl);
    const consumer = connection.createConsumer(
      { queue: queueName, queueOptions: { passive: true }, qos: { prefetchCount: capacity }, concurrency: capacity },
      async (message) => onTask(() => message.body as unknown),
    );
    await new Promise((resolve) => consumer.once('ready', resolve));
    return {
      close: async () => {
        await consumer.close();
        await connection.close();
      },
    };
  },
};
