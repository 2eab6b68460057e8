import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { Queue } from 'bullmq';
import { bodyOf, type Body } from '../body';
import type { Target } from '../peers/peer';
import { play } from './child';

export interface FillParams extends Target {
  /** As Mercury puts a task; as Nest's client wraps it; as jobs of BullMQ; or tasks of apps/consumer. */
  form: 'task' | 'nest' | 'job' | 'sleep';
  bytes: number;
  count: number;
}

const OUTSTANDING = 1_000;

/** Puts what a consumer is to find: all peers of one protocol find the same messages. */
play<FillParams, void>(async (params, bench) => {
  bench.ready();
  await bench.until('go');
  if (params.form === 'job') await fillRedis(params);
  else await fillQueue(params);
});

async function fillQueue({ rabbitUrl, queueName, form, bytes, count }: FillParams): Promise<void> {
  const connection = await connect(rabbitUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const body = form === 'sleep' ? { type: 'sleep', ms: 0 } : bodyOf(bytes);
  const content = Buffer.from(JSON.stringify(form === 'nest' ? { pattern: body.type, data: body } : body));
  await new Promise<void>((resolve, reject) => {
    let sent = 0;
    let confirmed = 0;
    const sendNext = () => {
      sent += 1;
      channel.sendToQueue(queueName, content, propertiesOf(body), (error: unknown) => {
        if (error) return reject(new Error('The queue refused a message.'));
        confirmed += 1;
        if (confirmed === count) resolve();
        else if (sent < count) sendNext();
      });
    };
    for (let index = 0; index < Math.min(OUTSTANDING, count); index++) sendNext();
  });
  await connection.close();
}

/** Those of Mercury's messages. */
function propertiesOf({ type }: Body) {
  const nowMs = Date.now();
  return {
    messageId: randomUUID(),
    type,
    contentType: 'application/json',
    persistent: true,
    mandatory: true,
    timestamp: Math.floor(nowMs / 1_000),
    appId: 'mercury',
    headers: { 'x-attempt': 1, 'x-enqueued-at-ms': nowMs },
  };
}

async function fillRedis({ redisUrl, queueName, bytes, count }: FillParams): Promise<void> {
  const queue = new Queue(queueName, { connection: { url: redisUrl } });
  const body = bodyOf(bytes);
  const job = { name: body.type, data: body, opts: { removeOnComplete: true } };
  for (let left = count; left > 0; left -= OUTSTANDING) {
    await queue.addBulk(Array.from({ length: Math.min(left, OUTSTANDING) }, () => job));
  }
  await queue.close();
}
