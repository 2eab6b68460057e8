import { Queue } from 'bullmq';
import { serveTasks } from '../nest-server';
import type { Target } from '../peers/peer';
import { play } from './child';

/** What a Nest application with BullMQ does: what @nestjs/bullmq injects is such a Queue. */
play<Target, void>(async ({ redisUrl, queueName }, bench) => {
  const queue = new Queue(queueName, { connection: { url: redisUrl } });
  const url = await serveTasks(queueName, async (type, payload) => {
    const { id } = await queue.add(type, payload, { removeOnComplete: true });
    return id;
  });
  bench.ready(url);
  await bench.until('stop');
});
