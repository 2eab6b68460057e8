import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Webhook } from 'standardwebhooks';
import { WorkerClient, deadQueueOf, type JsonObject } from '@mercury/messaging';
import { startConsumer } from '../../apps/consumer/src/consumer.app';
import { readConsumerEnvironment } from '../../apps/consumer/src/consumer.config';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { Receiver } from '../support/receiver';
import { Collector, gate, until } from '../support/until';

const LEVELS_MS = [100, 1_200];
const SECRET = `whsec_${Buffer.from('a secret of 24 bytes or so').toString('base64')}`;

let rabbit: Rabbit;
let queueName: string;
let busName: string;
let receiver: Receiver;
let app: NestFastifyApplication;
let client: WorkerClient;
let events: Collector<[level: string, event: JsonObject]>;
let stopListening: () => Promise<void>;

beforeEach(async () => {
  rabbit = await Rabbit.connect();
  queueName = uniqueName('consumer');
  busName = uniqueName('consumer-bus');
  receiver = await Receiver.open();
  events = new Collector();
  app = await startConsumer(
    readConsumerEnvironment({
      RABBITMQ_URL: rabbitUrl(),
      PORT: '0',
      LOG_LEVEL: 'silent',
      QUEUE_NAME: queueName,
      LOGGER_NAME: busName,
      WORKER_CAPACITY: '2',
      MAX_ATTEMPTS: '3',
      RETRY_DELAYS_MS: LEVELS_MS.join(),
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_TIMEOUT_MS: '300',
      WEBHOOK_ALLOWED_HOSTS: receiver.host,
    }),
  );
  client = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS });
  stopListening = await listen();
  const url = await app.getUrl();
  await until('the consumer is ready', async () => (await fetch(`${url}/health/ready`)).ok);
});

afterEach(async () => {
  await stopListening();
  await Promise.all([app.close(), client.stop()]);
  await receiver.close();
  await rabbit.deleteQueues(queueName, LEVELS_MS);
  await rabbit.use((channel) => channel.deleteExchange(busName));
  await rabbit.close();
});

/** The events of the bus, by plain AMQP. */
async function listen(): Promise<() => Promise<void>> {
  const done = gate();
  const bound = gate();
  const listening = rabbit.use(async (channel) => {
    await channel.assertExchange(busName, 'direct', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const level of ['info', 'critical']) await channel.bindQueue(queue, busName, level);
    await channel.consume(queue, (message) => {
      if (!message) return;
      events.push([message.fields.routingKey, JSON.parse(message.content.toString()) as JsonObject]);
    });
    bound.open();
    await done.opened;
  });
  await Promise.race([bound.opened, listening]);
  return () => {
    done.open();
    return listening;
  };
}

function webhook(path = '/hook', url = receiver.url) {
  return { url: `${url}${path}`, event: 'order.paid', data: { orderId: 4711 } };
}

async function deathOf(payload: object, type = 'webhook.deliver'): Promise<Record<string, unknown>> {
  const before = (await rabbit.depth(deadQueueOf(queueName))) ?? 0;
  await client.put(payload, { type });
  await until('the dead letter', async () => (await rabbit.depth(deadQueueOf(queueName))) === before + 1);
  return (await rabbit.take(deadQueueOf(queueName)))?.properties.headers as Record<string, unknown>;
}

describe('webhook.deliver', () => {
  it('posts what Standard Webhooks asks for, with the task id and a signature that its library accepts', async () => {
    const id = await client.put(webhook(), { type: 'webhook.deliver' });
    const [request] = await receiver.requests.atLeast(1);
    const { body = '', headers } = request ?? {};
    expect(headers).toMatchObject({ 'webhook-id': id, 'content-type': 'application/json' });
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toEqual({
      type: 'order.paid',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      data: { orderId: 4711 },
    });
    expect((await events.atLeast(1))[0]).toMatchObject([
      'info',
      { event: 'task.succeeded', id, type: 'webhook.deliver', attempt: 1, queue: queueName },
    ]);
  });

  it('is tried again after 503, with the same id, and then delivered', async () => {
    receiver.answer = (number) => ({ status: number === 1 ? 503 : 200 });
    const id = await client.put(webhook(), { type: 'webhook.deliver' });
    const requests = await receiver.requests.atLeast(2);
    expect(requests.map(({ headers }) => headers['webhook-id'])).toEqual([id, id]);
    expect((await events.atLeast(1))[0]).toMatchObject(['info', { id, attempt: 2 }]);
  });

  it('waits as long as Retry-After says, not only for its retry level', async () => {
    receiver.answer = (number) => (number === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { status: 204 });
    await client.put(webhook(), { type: 'webhook.deliver' });
    const [first, second] = await receiver.requests.atLeast(2);
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(1_000);
  });

  it('is dead after its last attempt, which is a critical event', async () => {
    receiver.answer = () => ({ status: 500 });
    expect(await deathOf(webhook())).toMatchObject({ 'x-error-code': 'WEBHOOK_STATUS_5XX', 'x-attempt': 3 });
    expect((await events.atLeast(1))[0]).toMatchObject([
      'critical',
      { event: 'task.dead', code: 'WEBHOOK_STATUS_5XX', attempt: 3 },
    ]);
  });

  it('is dead at once for a 4xx: the receiver will not change its mind', async () => {
    receiver.answer = () => ({ status: 410 });
    expect(await deathOf(webhook())).toMatchObject({ 'x-error-code': 'WEBHOOK_STATUS_4XX', 'x-attempt': 1 });
    expect(receiver.requests.values).toHaveLength(1);
  });

  it('is tried again when the receiver does not answer in time', async () => {
    const hold = gate();
    receiver.answer = async (number) => {
      if (number === 1) await hold.opened;
      return { status: 204 };
    };
    await client.put(webhook(), { type: 'webhook.deliver' });
    await receiver.requests.atLeast(2);
    hold.open();
  });

  it.each([
    ['loopback', 'http://127.0.0.1:9/'],
    ['loopback in other digits', 'http://2130706433:9/'],
    ['loopback by name', 'http://localhost:9/'],
    ['private', 'http://10.0.0.1/'],
    ['link-local', 'http://169.254.169.254/latest/meta-data/'],
    ['loopback in IPv6', 'http://[::ffff:127.0.0.1]:9/'],
  ])('never reaches an address that is not public: %s', async (_kind, url) => {
    expect(await deathOf(webhook('', url))).toMatchObject({
      'x-error-code': 'WEBHOOK_REFUSED_ADDRESS',
      'x-attempt': 1,
    });
  });

  it('never follows a redirect to an address that is not public', async () => {
    receiver.answer = () => ({ status: 307, headers: { location: 'http://169.254.169.254/' } });
    expect(await deathOf(webhook())).toMatchObject({ 'x-error-code': 'WEBHOOK_REFUSED_ADDRESS' });
  });

  it('follows a redirect that keeps method and body', async () => {
    receiver.answer = (_number, path) =>
      path === '/old' ? { status: 308, headers: { location: '/new' } } : { status: 204 };
    await client.put(webhook('/old'), { type: 'webhook.deliver' });
    const [first, second] = await receiver.requests.atLeast(2);
    expect(second).toMatchObject({ path: '/new', body: first?.body });
  });
});

describe('a message that cannot be executed', () => {
  it.each<[string, string, object]>([
    ['INVALID_PAYLOAD', 'sleep', { ms: -1 }],
    ['INVALID_PAYLOAD', 'webhook.deliver', { url: 'file:///etc/passwd', event: 'x', data: {} }],
  ])('is dead at once, with its reason, and the consumer goes on: %s', async (code, type, payload) => {
    expect(await deathOf(payload, type)).toMatchObject({ 'x-error-code': code, 'x-attempt': 1 });
    await client.put({ ms: 0 }, { type: 'sleep' });
    await until('the next one', () => events.values.some(([, { type }]) => type === 'sleep'));
  });
});

it('a task whose type nobody handles is tried again, and dead after its last attempt', async () => {
  expect(await deathOf({}, 'nobody.knows')).toMatchObject({ 'x-error-code': 'UNKNOWN_TYPE', 'x-attempt': 3 });
});

describe('a foreign program', () => {
  it('gets its bare JSON body executed', async () => {
    await rabbit.send(queueName, JSON.stringify({ type: 'sleep', ms: 1 }));
    expect((await events.atLeast(1))[0]).toMatchObject(['info', { event: 'task.succeeded', type: 'sleep' }]);
  });
});

describe('metrics and health', () => {
  it('tell what happened and that all is well', async () => {
    await client.put({ ms: 0 }, { type: 'sleep' });
    await events.atLeast(1);
    const url = await app.getUrl();
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('mercury_task_attempts_total{type="sleep",outcome="success"} 1');
    expect(metrics).toContain('mercury_worker_capacity 2');
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });
});
