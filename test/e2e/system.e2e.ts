import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquireBroker, type Broker } from '../../tools/broker';
import { post, problem } from '../support/http';
import { Processes, type ProjectProcess } from '../support/processes';
import { Receiver } from '../support/receiver';
import { until } from '../support/until';

/** The applications as they run for users: processes of their own, with a broker that comes and goes. */
const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), 'mercury-system-'));
let broker: Broker;
let receiver: Receiver;

beforeAll(async () => {
  [broker, receiver] = await Promise.all([acquireBroker(), Receiver.open()]);
}, 120_000);

afterAll(async () => {
  await Promise.all([broker?.release(), receiver?.close()]);
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  Object.assign(processes.env, {
    PORT: '0',
    SHUTDOWN_DELAY_MS: '',
    RABBITMQ_URL: broker.amqpUrl,
    LOG_FILE: join(folder, 'critical.jsonl'),
    WEBHOOK_ALLOWED_HOSTS: receiver.host,
  });
});

/** The address that an application prints once it listens. */
async function addressOf(app: ProjectProcess): Promise<string> {
  const line = await app.until(/http:\/\/127\.0\.0\.1:\d+\/(v1|health)/);
  return /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '';
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/health/ready`)).ok;
}

it('starts without a broker, says so, works once it comes, and ends cleanly on SIGTERM', async () => {
  await broker.stop();
  const apps = ['producer', 'consumer', 'logger'].map((name) => processes.start('start', name));
  const [producer, consumer, logger] = apps as [ProjectProcess, ProjectProcess, ProjectProcess];
  const urls = await Promise.all(apps.map(addressOf));
  const [producerUrl = ''] = urls;

  for (const url of urls) {
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
  }
  const hook = { url: `${receiver.url}/hook`, event: 'order.paid', data: { orderId: 1 } };
  const startedAtMs = performance.now();
  const refused = await post(`${producerUrl}/v1/tasks`, { type: 'webhook.deliver', payload: hook });
  expect(await problem(refused)).toMatchObject({ status: 503, code: 'PUBLISH_NOT_SENT' });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(performance.now() - startedAtMs).toBeLessThan(6_000);

  await broker.start();
  for (const url of urls) await until(`${url} is ready`, () => isReady(url), 30_000);
  const accepted = await post(`${producerUrl}/v1/tasks`, { type: 'webhook.deliver', payload: hook });
  expect(accepted.status).toBe(202);
  const { id } = (await accepted.json()) as { id: string };
  const [request] = await receiver.requests.atLeast(1);
  expect(request?.headers['webhook-id']).toBe(id);
  await logger.until(new RegExp(`info .*task\\.succeeded.*${id}`));

  receiver.answer = () => ({ status: 404 });
  await post(`${producerUrl}/v1/tasks`, { id: 'line\\nbreak', type: 'webhook.deliver', payload: hook });
  await logger.until(/critical .*task\.dead/);
  await post(`${producerUrl}/v1/events`, { level: 'critical', data: { text: 'one\n{"level":"critical"}\u2028two' } });
  await logger.until(/critical .*two/);

  for (const app of apps) app.signal('SIGTERM');
  expect(await Promise.all(apps.map((app) => app.exit))).toEqual([0, 0, 0]);
  const file = readFileSync(join(folder, 'critical.jsonl'), 'utf8');
  const lines = file.trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['critical', 'critical']);
  for (const line of [...producer.stdout, ...consumer.stdout]) expect(line).toMatch(/^\{"level":/);
}, 90_000);

it('a producer that shuts down loses nobody who asks whether it is ready', async () => {
  processes.env['SHUTDOWN_DELAY_MS'] = '1500';
  const producer = processes.start('start', 'producer');
  const url = await addressOf(producer);
  await until('it is ready', () => isReady(url), 30_000);
  const outcomes: unknown[] = [];
  let isSending = true;
  const sending = Array.from({ length: 4 }, async () => {
    while (isSending) {
      const response = await post(`${url}/v1/tasks`, { type: 'sleep', payload: { ms: 1 } }).catch(
        (error: unknown) => error,
      );
      outcomes.push(response instanceof Response ? response.status : response);
      if (response instanceof Response) await response.arrayBuffer();
    }
  });
  await until('posts are answered', () => outcomes.length > 20);
  producer.signal('SIGTERM');
  const beganMs = performance.now();
  // As a load balancer does, which looks now and then.
  await until('it says that it is not ready', async () => !(await isReady(url)));
  const seen = outcomes.length;
  await until('posts are answered still', () => outcomes.length > seen + 20);
  isSending = false;
  await Promise.all(sending);
  expect(await producer.exit).toBe(0);
  expect(performance.now() - beganMs).toBeGreaterThan(1_400);
  expect(outcomes.filter((outcome) => outcome !== 202)).toEqual([]);
});

it('names the problem of a wrong password, and never the password', async () => {
  const url = new URL(broker.amqpUrl);
  url.password = 'hunter2-secret';
  processes.env['RABBITMQ_URL'] = url.href;
  const consumer = processes.start('start', 'consumer');
  await consumer.until(/refused the user or the password/);
  expect(await isReady(await addressOf(consumer))).toBe(false);
  consumer.signal('SIGTERM');
  expect(await consumer.exit).toBe(0);
  expect(consumer.lines.join('\n')).not.toContain('hunter2');
});

it('refuses to start with a wrong environment, and lists everything that is wrong with it', async () => {
  Object.assign(processes.env, { WORKER_CAPACITY: '0.5', MAX_ATTEMPTS: 'many', RETRY_DELAYS_MS: '1000,,x' });
  const consumer = processes.start('start', 'consumer');
  expect(await consumer.exit).toBe(1);
  const printed = consumer.lines.join('\n');
  for (const name of ['WORKER_CAPACITY', 'MAX_ATTEMPTS', 'RETRY_DELAYS_MS']) expect(printed).toContain(name);
});
