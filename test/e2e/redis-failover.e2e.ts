import { Redis } from 'ioredis';
import { Worker, WorkerClient, type MercuryError } from '@mercury/messaging';
import { RedisKeyStore } from '@mercury/messaging/redis';
import { RedisServer } from '../../tools/redis';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

let first: RedisServer;
let second: RedisServer;
let rabbit: Rabbit;
let queueName: string;

beforeAll(async () => {
  [first, second] = await Promise.all([RedisServer.open(), RedisServer.open()]);
  rabbit = await Rabbit.connect();
  queueName = uniqueName('failover');
}, 120_000);

afterAll(async () => {
  await rabbit.deleteQueues(queueName);
  await rabbit.close();
  await Promise.all([first.close(), second.close()]);
});

/** Demotes or promotes a Redis, whose connections stay open. */
async function replicate(server: RedisServer, of: RedisServer | undefined): Promise<void> {
  const redis = new Redis(server.url);
  const { hostname, port } = new URL((of ?? server).url);
  await (of ? redis.replicaof(hostname, port) : redis.replicaof('NO', 'ONE'));
  redis.disconnect();
}

class Counter extends Worker {
  readonly runs: string[] = [];
  handler({ id }: { id: string }): void {
    this.runs.push(id);
  }
}

it('a Redis that was demoted is a problem at once, and no task runs twice for it', async () => {
  const keyStore = new RedisKeyStore(first.url);
  const told: MercuryError[] = [];
  keyStore.events.on('problem', (problem) => told.push(problem));
  const worker = new Counter({ rabbitUrl: rabbitUrl(), queueName, keyStore });
  worker.events.on('problem', (problem) => told.push(problem));
  const client = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName });
  await worker.start();
  await client.put({}, { type: 'count', id: 'before' });
  await until('the task before it has run', () => worker.runs.length === 1);

  await replicate(first, second);
  await client.put({}, { type: 'count', id: 'during' });
  await until('the task during it has run', () => worker.runs.length === 2);
  await until('the worker says what is wrong', () => worker.problem?.code === 'COMPLETION_NOT_STORED');
  expect(told.map(({ message }) => message).join()).toContain('READONLY');
  await client.put({}, { type: 'count', id: 'during' });
  await client.put({}, { type: 'count', id: 'waits' });
  await until('a task waits for the store', () => worker.problem?.code === 'KEY_STORE_UNAVAILABLE');

  await replicate(first, undefined);
  await until('what waited has run', () => worker.runs.includes('waits'), 15_000);
  await until('all is well', () => worker.problem === undefined, 15_000);
  await client.put({}, { type: 'count', id: 'during' });
  await client.put({}, { type: 'count', id: 'last' });
  await until('the last task has run', () => worker.runs.includes('last'));
  expect(worker.runs).toEqual(['before', 'during', 'waits', 'last']);
  await Promise.all([worker.stop(), client.stop()]);
  await keyStore.stop();
}, 60_000);
