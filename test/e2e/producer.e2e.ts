import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { startProducer } from '../../apps/producer/src/producer.app';
import { readProducerEnvironment } from '../../apps/producer/src/producer.config';
import { post, problem } from '../support/http';
import { delayQueueOf } from '@mercury/messaging';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const LEVELS_MS = [100];
const SLEEP = { type: 'sleep', payload: { ms: 10 } };

let rabbit: Rabbit;
let queueName: string;
let busName: string;
let app: NestFastifyApplication;
let url: string;

async function start(variables: Record<string, string> = {}): Promise<NestFastifyApplication> {
  return startProducer(
    readProducerEnvironment({
      RABBITMQ_URL: rabbitUrl(),
      PORT: '0',
      QUEUE_NAME: queueName,
      LOGGER_NAME: busName,
      RETRY_DELAYS_MS: LEVELS_MS.join(),
      ...variables,
    }),
  );
}

beforeAll(async () => {
  rabbit = await Rabbit.connect();
  queueName = uniqueName('producer');
  busName = uniqueName('producer-bus');
  app = await start();
  url = await app.getUrl();
  await until('the producer is ready', async () => (await fetch(`${url}/health/ready`)).ok);
});

afterAll(async () => {
  await app.close();
  await rabbit.deleteQueues(queueName, LEVELS_MS);
  await rabbit.use((channel) => channel.deleteExchange(busName));
  await rabbit.close();
});

afterEach(() => rabbit.use((channel) => channel.purgeQueue(queueName).catch(() => undefined)));

describe('POST /v1/tasks', () => {
  it('answers 202 with the id of a task that is on the queue, as exactly its payload', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await post(`${url}/v1/tasks`, SLEEP, { traceparent });
    expect(response.status).toBe(202);
    const accepted = (await response.json()) as { id: string };
    expect(accepted).toEqual({ id: accepted.id, type: 'sleep', queue: queueName, state: 'queued' });
    expect(response.headers.get('location')).toBe(`/v1/tasks/${accepted.id}`);
    const message = await rabbit.take(queueName);
    expect(message?.content.toString()).toBe('{"ms":10}');
    expect(message?.properties).toMatchObject({
      messageId: accepted.id,
      type: 'sleep',
      contentType: 'application/json',
      deliveryMode: 2,
      headers: { 'x-attempt': 1, traceparent },
    });
  });

  it('takes an id of the caller', async () => {
    const response = await post(`${url}/v1/tasks`, { ...SLEEP, id: 'order/4711', queue: queueName });
    expect(await response.json()).toMatchObject({ id: 'order/4711' });
    expect(response.headers.get('location')).toBe('/v1/tasks/order%2F4711');
  });

  it.each<[string, () => Record<string, unknown>]>([
    ['a delay', () => ({ delayMs: 3_700_000 })],
    ['a time', () => ({ runAt: new Date(Date.now() + 3_700_000).toISOString() })],
  ])('keeps a task with %s off the work queue, also one of a batch', async (_what, later) => {
    const fromMs = Date.now();
    expect((await post(`${url}/v1/tasks`, { ...SLEEP, ...later() })).status).toBe(202);
    expect((await post(`${url}/v1/tasks/batch`, [{ ...SLEEP, ...later() }])).status).toBe(202);
    const untilMs = Date.now();
    expect(await rabbit.depth(queueName)).toBe(0);
    for (let taken = 0; taken < 2; taken++) {
      const message = await rabbit.take(delayQueueOf(queueName, 3_600_000));
      const { 'x-not-before-ms': notBeforeMs } = message?.properties.headers as Record<string, number>;
      expect(notBeforeMs).toBeGreaterThanOrEqual(fromMs + 3_700_000);
      expect(notBeforeMs).toBeLessThanOrEqual(untilMs + 3_700_000);
    }
  });

  it('puts a task whose time is past on the work queue', async () => {
    expect((await post(`${url}/v1/tasks`, { ...SLEEP, runAt: '1999-12-31T23:59:59Z' })).status).toBe(202);
    expect(await rabbit.depth(queueName)).toBe(1);
  });

  it('answers 503 when the queue is gone, instead of losing the task silently', async () => {
    await rabbit.use((channel) => channel.deleteQueue(queueName));
    const response = await post(`${url}/v1/tasks`, SLEEP);
    expect(await problem(response)).toMatchObject({ status: 503, code: 'PUBLISH_RETURNED' });
    expect(response.headers.get('retry-after')).toBe('1');
  });

  it('declares the queue again for those that come after', async () => {
    await until('the queue is back', async () => (await post(`${url}/v1/tasks`, SLEEP)).status === 202);
  });

  it.each<[string, string, string, number, string]>([
    ['no JSON', 'application/json', '{"type":"sleep"', 400, 'MALFORMED_JSON'],
    ['nothing', 'application/json', '', 400, 'MALFORMED_JSON'],
    ['a poisoned prototype', 'application/json', '{"__proto__":{"a":1}}', 400, 'MALFORMED_JSON'],
    ['plain text', 'text/plain', JSON.stringify(SLEEP), 415, 'NOT_JSON'],
    ['a form', 'application/x-www-form-urlencoded', 'type=sleep', 415, 'NOT_JSON'],
    ['XML', 'application/xml', '<task/>', 415, 'NOT_JSON'],
    ['NDJSON, outside of a batch', 'application/x-ndjson', JSON.stringify(SLEEP), 415, 'NOT_JSON'],
    ['17 MiB', 'application/json', JSON.stringify({ fill: 'x'.repeat(17 * 1_048_576) }), 413, 'BODY_TOO_LARGE'],
  ])('refuses %s', async (_what, contentType, body, status, code) => {
    const response = await fetch(`${url}/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
    });
    expect(await problem(response)).toMatchObject({ status, code });
    expect(await rabbit.depth(queueName)).toBe(0);
  });

  it.each<[string, unknown, string[]]>([
    ['an array', [SLEEP], ['']],
    ['null', null, ['']],
    ['no type', { payload: { ms: 1 } }, ['/type']],
    ['an unknown type', { type: 'nope', payload: {} }, ['/type']],
    ['a type of Object.prototype', { type: 'constructor', payload: {} }, ['/type']],
    ['no payload', { type: 'sleep' }, ['/payload']],
    ['a payload that is a list', { type: 'sleep', payload: [] }, ['/payload']],
    ['an unknown field', { ...SLEEP, urgent: true }, ['/urgent']],
    ['an unknown field with a slash', { ...SLEEP, 'a/b~': true }, ['/a~1b~0']],
    ['an unknown field of the payload', { type: 'sleep', payload: { ms: 1, extra: 1 } }, ['/payload/extra']],
    ['a wrong type in the payload', { type: 'sleep', payload: { ms: '10' } }, ['/payload/ms']],
    ['a fraction', { type: 'sleep', payload: { ms: 0.5 } }, ['/payload/ms']],
    ['another queue', { ...SLEEP, queue: 'elsewhere' }, ['/queue']],
    ['a negative delay', { ...SLEEP, delayMs: -1 }, ['/delayMs']],
    ['a delay of more than 30 days', { ...SLEEP, delayMs: 2_592_000_001 }, ['/delayMs']],
    ['a time that is none', { ...SLEEP, runAt: 'tomorrow' }, ['/runAt']],
    ['a delay and a time', { ...SLEEP, delayMs: 1, runAt: '2026-12-01T08:00:00Z' }, ['/runAt']],
    ['an id with a space', { ...SLEEP, id: 'a b' }, ['/id']],
    ['an id of 256 characters', { ...SLEEP, id: 'x'.repeat(256) }, ['/id']],
    [
      'a webhook with everything wrong',
      { type: 'webhook.deliver', payload: { url: 'ftp://example.com', event: '', data: 'x' } },
      ['/payload/url', '/payload/event', '/payload/data'],
    ],
  ])('points at what is wrong: %s', async (_what, body, pointers) => {
    const answer = await problem(await post(`${url}/v1/tasks`, body));
    expect(answer).toMatchObject({ status: 422, code: 'INVALID_REQUEST' });
    const pointed = new Set(answer.errors?.map(({ pointer }) => pointer));
    expect([...pointed].sort()).toEqual([...pointers].sort());
    expect(await rabbit.depth(queueName)).toBe(0);
  });

  it.each<[string, number, Record<string, string>, Buffer]>([
    ['a compressed body', 415, { 'content-encoding': 'gzip' }, gzipSync(JSON.stringify(SLEEP))],
    ['bytes that are no UTF-8', 400, {}, Buffer.from('7b2261223a22f09f98227d', 'hex')],
  ])('refuses %s', async (_what, status, headers, body) => {
    const response = await fetch(`${url}/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    expect(await problem(response)).toMatchObject({ status });
  });

  it('refuses a payload of more than 1 MiB', async () => {
    const payload = { url: 'https://example.com/', event: 'big', data: { fill: 'x'.repeat(1_048_576) } };
    const answer = await problem(await post(`${url}/v1/tasks`, { type: 'webhook.deliver', payload }));
    expect(answer).toMatchObject({ status: 413, code: 'TASK_TOO_LARGE' });
  });
});

describe('GET /v1/tasks/{id}', () => {
  it('says that the status is not available', async () => {
    expect(await problem(await fetch(`${url}/v1/tasks/abc`))).toMatchObject({
      status: 404,
      code: 'STATUS_NOT_AVAILABLE',
    });
  });
});

describe('POST /v1/tasks/batch', () => {
  it('puts 1,000 tasks and answers with their ids in order', async () => {
    const batch = Array.from({ length: 1_000 }, (_, number) => ({ ...SLEEP, id: `task-${number}` }));
    const response = await post(`${url}/v1/tasks/batch`, batch);
    expect(response.status).toBe(202);
    const { results } = (await response.json()) as { results: { id: string; status: number }[] };
    expect(results.map(({ id }) => id)).toEqual(batch.map(({ id }) => id));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await rabbit.depth(queueName)).toBe(1_000);
  });

  it('accepts and refuses each item by itself', async () => {
    const response = await post(`${url}/v1/tasks/batch`, [SLEEP, { type: 'nope', payload: {} }, SLEEP]);
    expect(response.status).toBe(207);
    const { results } = (await response.json()) as { results: unknown[] };
    expect(results).toMatchObject([
      { status: 202, state: 'queued' },
      { status: 422, code: 'INVALID_REQUEST', errors: [{ pointer: '/type' }] },
      { status: 202, state: 'queued' },
    ]);
    expect(await rabbit.depth(queueName)).toBe(2);
  });

  it('takes NDJSON, where a line that is no JSON is that item’s problem only', async () => {
    const line = JSON.stringify(SLEEP);
    const response = await fetch(`${url}/v1/tasks/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${line}\n{"type":\r\n\n${line}`,
    });
    const { results } = (await response.json()) as { results: { status: number }[] };
    expect(results.map(({ status }) => status)).toEqual([202, 400, 202]);
    expect(await rabbit.depth(queueName)).toBe(2);
  });

  it.each<[string, unknown]>([
    ['1,001 items', Array.from({ length: 1_001 }, () => SLEEP)],
    ['no items', []],
    ['no list', { tasks: [SLEEP] }],
  ])('refuses %s as a whole', async (_what, body) => {
    const answer = await problem(await post(`${url}/v1/tasks/batch`, body));
    expect(answer).toMatchObject({ status: 422, errors: [{ pointer: '' }] });
    expect(await rabbit.depth(queueName)).toBe(0);
  });
});

describe('POST /v1/events', () => {
  it('publishes to the bus with the level as key', async () => {
    const heard = await rabbit.use(async (channel) => {
      await channel.assertExchange(busName, 'direct', { durable: true });
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, busName, 'critical');
      const first = new Promise<string>((resolve, reject) => {
        channel.consume(queue, (message) => resolve(String(message?.content))).catch(reject);
      });
      const response = await post(`${url}/v1/events`, { level: 'critical', data: { disk: 'full' } });
      expect([response.status, await response.json()]).toEqual([202, { level: 'critical' }]);
      return first;
    });
    expect(heard).toBe('{"disk":"full"}');
  });

  it('does not mind that nobody listens', async () => {
    expect((await post(`${url}/v1/events`, { level: 'info', data: {} })).status).toBe(202);
  });

  it('points at a wrong level, wrong data and an unknown field', async () => {
    const answer = await problem(await post(`${url}/v1/events`, { level: 'warn', data: [], extra: 1 }));
    expect(answer.status).toBe(422);
    expect(answer.errors?.map(({ pointer }) => pointer).sort()).toEqual(['/data', '/extra', '/level']);
  });
});

describe('the API as a whole', () => {
  it('describes itself to programs and to people', async () => {
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
    const described = Object.keys(document.paths).sort();
    expect(described).toEqual(expect.arrayContaining(['/v1/events', '/v1/tasks', '/v1/tasks/batch', '/v1/tasks/{id}']));
    expect(JSON.stringify(document)).toMatch(/"delayMs":.*"runAt":/);
    expect(await (await fetch(`${url}/docs`)).text()).toContain('swagger-ui');
  });

  it('answers an unknown path with a problem', async () => {
    expect(await problem(await fetch(`${url}/nope`))).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect(await problem(await fetch(`${url}/v1/tasks/%zz`))).toMatchObject({ status: 400 });
  });

  it('answers a task id of any length that it accepts', async () => {
    expect(await problem(await fetch(`${url}/v1/tasks/${'%2F'.repeat(255)}`))).toMatchObject({ status: 404 });
  });

  it('counts what it published', async () => {
    await post(`${url}/v1/tasks`, SLEEP);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/mercury_tasks_published_total\{outcome="confirmed"\} [1-9]/);
  });
});

describe('with access restricted', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mercury-keys-'));
  const keys = join(folder, 'keys');
  let guarded: NestFastifyApplication;

  beforeAll(async () => {
    writeFileSync(keys, `shop:${createHash('sha256').update('open-sesame').digest('hex')}\n`);
    guarded = await start({ API_KEYS_FILE: keys, RATE_LIMIT_PER_MINUTE: '2' });
  });

  afterAll(async () => {
    await guarded.close();
    rmSync(folder, { recursive: true });
  });

  it.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['a wrong key', { authorization: 'Bearer open-sesam' }],
    ['another scheme', { authorization: 'Basic open-sesame' }],
  ])('answers 401 to %s', async (_what, headers) => {
    const response = await post(`${await guarded.getUrl()}/v1/tasks`, SLEEP, headers);
    expect(await problem(response)).toMatchObject({ status: 401, code: 'KEY_REQUIRED' });
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('lets a key in, as often as the limit says, and then names a time to come back', async () => {
    const headers = { authorization: 'Bearer open-sesame' };
    const tasks = `${await guarded.getUrl()}/v1/tasks`;
    const statuses = [await post(tasks, SLEEP, headers), await post(tasks, SLEEP, headers)].map(({ status }) => status);
    expect(statuses).toEqual([202, 202]);
    // One count for all routes.
    const response = await post(`${tasks}/batch`, [SLEEP], headers);
    expect(await problem(response)).toMatchObject({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('leaves health and metrics open to the machines that watch', async () => {
    expect((await fetch(`${await guarded.getUrl()}/health/live`)).status).toBe(200);
    expect((await fetch(`${await guarded.getUrl()}/metrics`)).status).toBe(200);
  });
});
