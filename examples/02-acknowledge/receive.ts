import { setImmediate, setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { Worker, WorkerClient, type Task } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

const queueName = 'example_acknowledge';

interface Work {
  durationMs: number;
}

class Receiver extends Worker<Work> {
  async handler(task: Task<Work>): Promise<void> {
    const { durationMs } = task.body;
    console.log(`Received a task of ${durationMs} ms`);
    // Counted by the broker, for a message that it gave away before and got back without an ack.
    if (task.headers['x-delivery-count']) console.log('It comes again: who had it before died without an ack.');
    await pause(durationMs);
    console.log('Done');
    // When the handler returns, the worker acks: only now does the broker delete the message.
  }
}

/** `receive` acknowledges each task when its work is done; `receive --no-ack` does not acknowledge at all. */
export default async function receive(args: string[]): Promise<void> {
  if (args.includes('--no-ack')) return receiveWithoutAck();
  await using receiver = new Receiver({ rabbitUrl, queueName, capacity: 1 });
  await receiver.start();
  console.log(`Waiting for tasks. To exit press Ctrl-C; to kill it: kill -9 ${process.pid}`);
  await untilCtrlC();
}

/** In AMQP itself, for the library has no such mode. */
async function receiveWithoutAck(): Promise<void> {
  // Of a cluster's URLs the first: amqplib takes one.
  const [url = rabbitUrl] = rabbitUrl.split(',');
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await declareQueue();
  // `noAck`, "no ack will come": for the broker a message is done as soon as it is sent. Nor is there a prefetch limit
  // then: all that waits in the queue is sent at once.
  await channel.consume(queueName, (message) => void (message && workWithoutAck(message.content)), { noAck: true });
  console.log(`Waiting for tasks, without ack. To exit press Ctrl-C; to kill it: kill -9 ${process.pid}`);
  await untilCtrlC();
  await connection.close();
}

async function workWithoutAck(content: Buffer): Promise<void> {
  // The first message may come together with the broker's answer to `consume`: after the line that is printed then.
  await setImmediate();
  const { durationMs } = JSON.parse(content.toString()) as Work;
  console.log(`Received a task of ${durationMs} ms`);
  console.log('The broker has deleted it already: if this process dies now, the task is lost.');
  await pause(durationMs);
  console.log('Done');
}

/** With the arguments that the library gives it, also when nobody has sent anything yet. */
async function declareQueue(): Promise<void> {
  await using client = new WorkerClient({ rabbitUrl, queueName });
  client.start();
  await new Promise<void>((resolve) => client.events.once('ready', resolve));
}
