import { Queue, Worker } from 'bullmq';
import type { Peer } from './peer';

/** As in a queue of RabbitMQ, a job that is done is gone. */
const options = { removeOnComplete: true };

export const peer: Peer = {
  async openSender({ redisUrl, queueName }) {
    const queue = new Queue(queueName, { connection: { url: redisUrl } });
    await queue.waitUntilReady();
    return {
      send: (body, done) => void queue.add(body.type, body, options).then(() => done(), done),
      close: () => queue.close(),
    };
  },

  async openReceiver({ redisUrl, queueName }, capacity, onTask) {
    const connection = { url: redisUrl };
    const worker = new Worker(queueName, async (job) => onTask(() => job.data as unknown), {
      connection,
      concurrency: capacity,
    });
    await worker.waitUntilReady();
    return { close: () => worker.close() };
  },
};
