import { connect, type ConsumeMessage, type Options } from 'amqplib';
import { DiscardTask, Scheduler, Worker, WorkerClient, type ScheduleOptions, type Task } from '@mercury/messaging';
import { until } from './until';
import type { VirtualHost } from './virtual-host';

/** What a version of Mercury has left on a broker: what is declared there, and each message with its queue. */
export interface LeftBehind {
  definitions: object;
  messages: { queue: string; contentBase64: string; properties: Options.Publish }[];
}

export const QUEUE_NAME = 'reports';
export const LEVELS_MS = [5_000];
export const PULSE: ScheduleOptions = {
  name: 'pulse',
  cron: '* * * * * *',
  missed: 'run-once',
  type: 'beat',
  body: { n: 1 },
};

/** Fails as its tasks ask it to. */
class Breaker extends Worker {
  override handler({ type, attempt }: Task): void {
    if (type === 'dies') throw new DiscardTask('It is gone.', { code: 'GONE' });
    if (type === 'fails' && attempt === 1) throw new Error('Not now.');
  }
}

/** Does with this version what leaves something in every kind of queue, and takes it all out. */
export async function leaveBehind(host: VirtualHost): Promise<LeftBehind> {
  const options = { rabbitUrl: host.url, queueName: QUEUE_NAME, retryDelaysMs: LEVELS_MS };
  const client = new WorkerClient(options);
  const worker = new Breaker({ ...options, maxAttempts: 3 });
  let settled = 0;
  worker.events.on('settled', () => (settled += 1));
  await worker.start();
  for (const id of ['dead-1', 'dead-2']) await client.put({ month: 1 }, { id, type: 'dies' });
  await client.put({ month: 2 }, { id: 'retry-1', type: 'fails' });
  await until('all have ended', () => settled === 3);
  await worker.stop();
  await client.put({ month: 3 }, { id: 'delayed-1', type: 'report', delayMs: 10_000 });
  await client.put({ month: 4 }, { id: 'waiting-1', type: 'report', headers: { 'x-tenant': 'acme' } });
  await client.put({ type: 'event', nested: { zoë: [1, 2.5, null, '€'] } }, { id: 'waiting-2', type: 'report' });
  await client.stop();
  const scheduler = new Scheduler({ ...options, schedules: [PULSE] });
  const beats: string[] = [];
  scheduler.events.on('enqueued', ({ id }) => beats.push(id));
  await scheduler.start();
  await until('it has put some', () => beats.length >= 2);
  await scheduler.stop();
  const definitions = await host.definitions();
  return { definitions, messages: await takeAll(host.url, namesOf(definitions)) };
}

export async function bringBack(host: VirtualHost, { definitions, messages }: LeftBehind): Promise<void> {
  await host.define(definitions);
  const model = await connect(host.url);
  const channel = await model.createConfirmChannel();
  for (const { queue, contentBase64, properties } of messages) {
    channel.sendToQueue(queue, Buffer.from(contentBase64, 'base64'), { ...properties, persistent: true });
  }
  await channel.waitForConfirms();
  await model.close();
}

function namesOf(definitions: object): string[] {
  return (definitions as { queues: { name: string }[] }).queues.map(({ name }) => name);
}

/** By consuming: a queue with a single active consumer gives nothing otherwise. */
async function takeAll(url: string, queues: readonly string[]): Promise<LeftBehind['messages']> {
  const model = await connect(url);
  const messages: LeftBehind['messages'] = [];
  for (const queue of queues) {
    const channel = await model.createChannel();
    const { messageCount } = await channel.checkQueue(queue);
    const before = messages.length;
    const onMessage = (message: ConsumeMessage | null) => {
      if (!message) return;
      const known = Object.entries(message.properties).filter(([, value]) => value !== undefined);
      messages.push({
        queue,
        contentBase64: message.content.toString('base64'),
        properties: Object.fromEntries(known),
      });
    };
    await channel.consume(queue, onMessage, { noAck: true });
    await until(`all of ${queue} has come`, () => messages.length - before >= messageCount);
    await channel.close();
  }
  await model.close();
  return messages;
}
