import type { Task } from '@mercury/messaging';
import { built } from '../built';
import type { OnTask, Peer } from './peer';

const { Worker, WorkerClient } = built.messaging();

class BenchWorker extends Worker {
  onTask: OnTask = () => undefined;

  override async handler(task: Task): Promise<void> {
    this.onTask(() => task.body);
  }
}

export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const client = new WorkerClient({ rabbitUrl, queueName });
    return {
      send: (body, done) => void client.put(body).then(() => done(), done),
      close: () => client.stop(),
    };
  },

  async openReceiver({ rabbitUrl, queueName }, capacity, onTask) {
    const worker = new BenchWorker({ rabbitUrl, queueName, capacity });
    worker.onTask = onTask;
    await worker.start();
    return { close: () => worker.stop() };
  },
};
