import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { WorkerClient } from '@mercury/messaging';
import { RedisKeyStore } from '@mercury/messaging/redis';
import { startProducer } from '../../apps/producer/src/producer.app';
import { readProducerEnvironment } from '../../apps/producer/src/producer.config';
import { hashOfScope } from '../../apps/producer/src/idempotency/idempotency-key';
import { RedisServer } from '../../tools/redis';
import { Proxy } from '../faults/proxy';
import { post, problem } from '../support/http';
import { Processes } from '../support/processes';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { Receiver } from '../support/receiver';
import { until } from '../support/until';

const LEVELS_MS = [100];
const SLEEP = { type: 'sleep', payload: { ms: 10 } };

const processes = new Processes();
let rabbit: Rabbit;
let redis: RedisServer;
let store: RedisKeyStore;
let proxy: Proxy;
let proxied: string;
let queueName: string;

beforeAll(async () => {
  [rabbit, redis] = await Promise.all([Rabbit.connect(), RedisServer.open()]);
  store = new RedisKeyStore(redis.url);
  store.events.on('problem', () => undefined);
}, 120_000);

afterAll(async () => {
  await store?.stop();
  await Promise.all([rabbit?.close(), redis?.close()]);
});

beforeEach(async () => {
  queueName = uniqueName('idempotency');
  proxy = await Proxy.open(Number(new URL(rabbitUrl()).port || 5672));
  const url = new URL(rabbitUrl());
  url.host = `127.0.0.1:${proxy.port}`;
  proxied = url.href;
});

afterEach(async () => {
  await proxy.close();
  await rabbit.deleteQueues(queueName, LEVELS_MS);
});

describe('two producers with one Redis', () => {
  let apps: NestFastifyApplication[];
  /** The first reaches the broker through the proxy. */
  let first: string;
  let second: string;
  let keyText: string;
  let key: Record<string, string>;

  const start = (broker: string) =>
    startProducer(
      readProducerEnvironment({
        RABBITMQ_URL: broker,
        REDIS_URL: redis.url,
        PORT: '0',
        LOG_LEVEL: 'silent',
        QUEUE_NAME: queueName,
        RETRY_DELAYS_MS: LEVELS_MS.join(),
      }),
    );

  beforeEach(async () => {
    apps = await Promise.all([start(proxied), start(rabbitUrl())]);
    [first = '', second = ''] = await Promise.all(apps.map(async (app) => `${await app.getUrl()}/v1/tasks`));
    keyText = uniqueName('key');
    key = { 'idempotency-key': `"${keyText}"` };
    for (const app of apps) {
      const url = await app.getUrl();
      await until('the producer is ready', async () => (await fetch(`${url}/health/ready`)).ok);
    }
  });

  afterEach(() => Promise.all(apps.map((app) => app.close())));

  const idOf = async (response: Response) => ((await response.json()) as { id: string }).id;

  it('put one task for many requests with the same key, whichever is asked, and answer alike', async () => {
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, number) => post(number % 2 ? first : second, SLEEP, key)),
    );
    const accepted = responses.filter(({ status }) => status === 202);
    const refused = responses.filter(({ status }) => status !== 202);
    expect(accepted.length).toBeGreaterThan(0);
    for (const response of refused) {
      expect(await problem(response)).toMatchObject({ status: 409, code: 'IDEMPOTENCY_IN_FLIGHT' });
      expect(response.headers.get('retry-after')).toBe('1');
    }
    const again = await Promise.all([post(first, SLEEP, key), post(second, SLEEP, key)]);
    const ids = new Set(await Promise.all([...accepted, ...again].map(idOf)));
    expect(ids.size).toBe(1);
    expect(again.map(({ status, headers }) => [status, headers.get('location')])).toEqual(
      Array(2).fill([202, `/v1/tasks/${[...ids][0]}`]),
    );
    expect(await rabbit.depth(queueName)).toBe(1);
  });

  it('refuse the key while one of them waits for the broker, and put the same task when that one fails', async () => {
    proxy.beginSilence();
    const waiting = post(first, SLEEP, key);
    const scope = { key: keyText, client: undefined, queueName };
    await until('the key is in flight', async () => !!(await store.get(`request ${hashOfScope(scope)}`)));
    const refused = await post(second, SLEEP, key);
    expect(await problem(refused)).toMatchObject({ status: 409, code: 'IDEMPOTENCY_IN_FLIGHT' });
    proxy.endSilence();
    const failed = await problem(await waiting);
    expect(failed).toMatchObject({ status: 503, outcome: 'unknown' });
    const accepted = await post(second, SLEEP, key);
    expect(accepted.status).toBe(202);
    expect({ id: await idOf(accepted) }).toEqual({ id: (failed as { id?: string }).id });
  });

  it('refuse the key for another task', async () => {
    expect((await post(first, SLEEP, key)).status).toBe(202);
    const response = await post(second, { ...SLEEP, payload: { ms: 11 } }, key);
    expect(await problem(response)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await rabbit.depth(queueName)).toBe(1);
  });

  it('refuse a malformed key, and take requests without one as ever', async () => {
    const response = await post(first, SLEEP, { 'idempotency-key': '"no end' });
    expect(await problem(response)).toMatchObject({ status: 400, code: 'IDEMPOTENCY_KEY_INVALID' });
    const ids = [await idOf(await post(first, SLEEP)), await idOf(await post(first, SLEEP))];
    expect(new Set(ids).size).toBe(2);
  });

  it('put each place of a batch once', async () => {
    const results = async (response: Response) => ((await response.json()) as { results: { id: string }[] }).results;
    const batch = [SLEEP, SLEEP, { type: 'nope' }];
    const before = await results(await post(`${first}/batch`, batch, key));
    const after = await results(await post(`${second}/batch`, [...batch.slice(0, 2), SLEEP], key));
    expect(after.map(({ id }) => id).slice(0, 2)).toEqual(before.map(({ id }) => id).slice(0, 2));
    expect(await rabbit.depth(queueName)).toBe(3);
  });

  it('answer 503 to a key while Redis is away, take the others, and come back by themselves', async () => {
    const id = await idOf(await post(first, SLEEP, key));
    await redis.kill();
    try {
      const response = await post(first, SLEEP, key);
      expect(await problem(response)).toMatchObject({ status: 503, code: 'KEY_STORE_UNAVAILABLE' });
      expect(response.headers.get('retry-after')).toBe('1');
      expect((await post(first, SLEEP)).status).toBe(202);
      expect((await fetch(new URL('/health/ready', first))).status).toBe(200);
    } finally {
      await redis.start();
    }
    for (const producer of [first, second]) {
      await until('it knows the key again', async () => {
        const response = await post(producer, SLEEP, key);
        return response.status === 202 && (await idOf(response)) === id;
      });
    }
    expect(await rabbit.depth(queueName)).toBe(2);
  });
});

describe('a consumer with Redis that is killed between the success of a task and its ack', () => {
  it('leaves a task that another one acknowledges without executing it again', async () => {
    const receiver = await Receiver.open();
    const client = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS });
    Object.assign(processes.env, {
      PORT: '0',
      QUEUE_NAME: queueName,
      RETRY_DELAYS_MS: LEVELS_MS.join(),
      REDIS_URL: redis.url,
      WEBHOOK_ALLOWED_HOSTS: receiver.host,
      RABBITMQ_URL: proxied,
    });
    // From the moment in which the webhook arrives, the broker hears nothing any more: neither the ack nor the end.
    receiver.answer = () => {
      proxy.beginSilence();
      return { status: 204 };
    };
    try {
      const killed = processes.start('start', 'consumer');
      await killed.until('Connected to Redis');
      const payload = { url: `${receiver.url}/hook`, event: 'order.paid', data: { orderId: 1 } };
      const id = await client.put(payload, { type: 'webhook.deliver' });
      await until('the success is remembered', async () => !!(await store.get(`succeeded ${id} ${queueName}`)));
      killed.signal('SIGKILL');
      await killed.exit;
      proxy.endSilence();
      processes.env['RABBITMQ_URL'] = rabbitUrl();
      const next = processes.start('start', 'consumer');
      expect(await next.until('task skipped')).toContain(id);
      next.signal('SIGTERM');
      expect(await next.exit).toBe(0);
      expect(receiver.requests.values).toHaveLength(1);
      expect(await rabbit.depth(queueName)).toBe(0);
    } finally {
      await Promise.all([client.stop(), receiver.close()]);
    }
  });
});
