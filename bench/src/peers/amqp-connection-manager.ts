import { connect } from 'amqp-connection-manager';
import type { Peer } from './peer';

const options = { persistent: true, mandatory: true, contentType: 'application/json' };

export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const connection = connect([rabbitUrl]);
    const channel = connection.createChannel({ json: true });
    await channel.waitForConnect();
    return {
      send: (body, done) => void channel.sendToQueue(queueName, body, options).then(() => done(), done),
      close: () => connection.close(),
    };
  },

  async openReceiver({ rabbitUrl, queueName }, capacity, onTask) {
    const connection = connect([rabbitUrl]);
    const channel = connection.createChannel({ confirm: false });
    await channel.consume(
      queueName,
      (message) => {
        onTask(() => JSON.parse(message.content.toString()) as unknown);
        channel.ack(message);
      },
      { prefetch: capacity },
    );
    await channel.waitForConnect();
    return {
      close: async () => {
        await channel.close();
        await connection.close();
      },
    };
  },
};
