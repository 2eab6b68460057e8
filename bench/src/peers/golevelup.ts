import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import type { Peer } from './peer';

const options = { persistent: true, mandatory: true, contentType: 'application/json' };

export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const connection = new AmqpConnection({ uri: rabbitUrl });
    await connection.init();
    return {
      send: (body, done) => void connection.publish('', queueName, body, options).then(() => done(), done),
      close: () => connection.close(),
    };
  },

  async openReceiver({ rabbitUrl, queueName }, capacity, onTask) {
    const connection = new AmqpConnection({ uri: rabbitUrl, prefetchCount: capacity });
    await connection.init();
    const handler = async (body: unknown) => onTask(() => body);
    await connection.createSubscriber(handler, { queue: queueName, createQueueIfNotExists: false }, 'bench');
    return { close: () => connection.close() };
  },
};
