import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { deadQueueOf, retryQueueOf } from '@mercury/messaging';
import { acquireBroker, type Broker } from '../broker';
import { ToolError } from '../broker/project';
import { freePort, isFree } from '../broker/ports';
import { AppProcess } from './app-process';
import { Receiver, type Arrival } from './receiver';
import type { Screen } from './screen';

export const CAPACITY = 3;
export const MAX_ATTEMPTS = 3;
/** Shorter than the defaults, so that a retry is something to watch. */
export const RETRY_DELAYS_MS = [1_000, 2_000];

export const QUEUE_NAME = `demo-${randomBytes(3).toString('hex')}`;
const WAIT_TIMEOUT_MS = 30_000;
const ASK_AGAIN_MS = 50;

/** Broker, applications and receiver, on loopback, for as long as the demo lasts. */
export class System {
  /** What the logger printed: the events. */
  readonly events: string[] = [];
  readonly urls = { producer: '', consumer: '', logger: '', management: '' };
  onArrival: (arrival: Arrival) => void = () => undefined;
  onEvent: (line: string) => void = () => undefined;
  receiver!: Receiver;
  logFile = '';
  private folder = '';
  private broker: Promise<Broker> | undefined;
  private amqp: ChannelModel | undefined;
  private channel: Channel | undefined;
  private readonly apps: AppProcess[] = [];
  private stopping = false;

  constructor(private readonly screen: Screen) {}

  async start(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'mercury-demo-'));
    const rabbitUrl = await this.findBroker();
    if (this.stopping) throw new ToolError('DEMO_FAILED', 'The demo was stopped.');
    this.screen.good(`RabbitMQ at ${new URL(rabbitUrl).host}`);
    this.logFile = join(this.folder, 'critical.jsonl');
    const secret = `whsec_${randomBytes(24).toString('base64')}`;
    this.receiver = new Receiver(secret, (arrival) => this.onArrival(arrival));
    await this.receiver.listen(await portNear(4000));
    const shared = {
      RABBITMQ_URL: rabbitUrl,
      QUEUE_NAME,
      LOGGER_NAME: `${QUEUE_NAME}-logs`,
      RETRY_DELAYS_MS: RETRY_DELAYS_MS.join(),
      HOST: '127.0.0.1',
    };
    await this.startApp('producer', 3000, shared);
    await this.startApp('consumer', 3001, {
      ...shared,
      WORKER_CAPACITY: String(CAPACITY),
      MAX_ATTEMPTS: String(MAX_ATTEMPTS),
      WEBHOOK_SECRET: secret,
      WEBHOOK_ALLOWED_HOSTS: this.receiver.host,
    });
    await this.startApp('logger', 3002, { ...shared, LOG_FILE: this.logFile }, (line) => {
      this.events.push(line);
      this.onEvent(line);
    });
    for (const app of this.apps) {
      await this.until(`the ${app.name} is ready`, () => isReady(this.urls[app.name]));
    }
    this.screen.good(`producer, consumer (capacity ${CAPACITY}) and logger are ready, one process each`);
    this.amqp = await connect(rabbitUrl);
    this.amqp.on('error', () => undefined);
    this.channel = await this.amqp.createChannel();
    this.channel.on('error', () => undefined);
  }

  async deadLetters(): Promise<number> {
    return (await this.channel!.checkQueue(deadQueueOf(QUEUE_NAME))).messageCount;
  }

  /** How many tasks the consumer runs now, and how many `sleep` tasks it has done, as its metrics say. */
  async progress(): Promise<{ running: number; done: number }> {
    const metrics = await (await fetch(`${this.urls.consumer}/metrics`)).text();
    const [, running = NaN] = /^mercury_tasks_running (\d+)$/m.exec(metrics) ?? [];
    const [, done = 0] = /^mercury_task_attempts_total\{type="sleep",outcome="success"\} (\d+)$/m.exec(metrics) ?? [];
    return { running: Number(running), done: Number(done) };
  }

  async post(path: string, body: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.urls.producer}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  /** @throws ToolError `DEMO_FAILED` when it does not hold within 30 s, or an application has ended. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + WAIT_TIMEOUT_MS;
    while (!(await holds())) {
      for (const app of this.apps) app.checkRuns();
      if (performance.now() > deadlineMs) {
        throw new ToolError('DEMO_FAILED', `Not within ${WAIT_TIMEOUT_MS / 1000} s: ${what}.`);
      }
      await pause(ASK_AGAIN_MS);
    }
  }

  /** The last words of each application, for when something went wrong. */
  lastWords(): string {
    return this.apps.map(({ name, lastLines }) => `--- ${name}\n${lastLines.join('\n')}`).join('\n');
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.apps.map((app) => app.stop()));
    await this.receiver?.close();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
    // A broker of the demo's own goes with all that is in it.
    if (!this.broker) return this.removeQueues();
    if (!this.channel) this.screen.line('The broker is starting: it ends when it has started.');
    const broker = await this.broker.catch(() => undefined);
    await broker?.release();
  }

  private async findBroker(): Promise<string> {
    const given = process.env['RABBITMQ_URL'];
    if (given) {
      this.urls.management = process.env['RABBITMQ_MANAGER_URL'] ?? '';
      return given;
    }
    this.broker = acquireBroker({ log: (line) => this.screen.line(line) });
    const { amqpUrl, managementUrl } = await this.broker;
    this.urls.management = new URL(managementUrl).origin;
    return amqpUrl;
  }

  private async removeQueues(): Promise<void> {
    const levels = RETRY_DELAYS_MS.map((levelMs) => retryQueueOf(QUEUE_NAME, levelMs));
    for (const queue of [QUEUE_NAME, deadQueueOf(QUEUE_NAME), ...levels]) {
      await this.channel?.deleteQueue(queue).catch(() => undefined);
    }
    await this.channel?.deleteExchange(`${QUEUE_NAME}-logs`).catch(() => undefined);
    await this.amqp?.close().catch(() => undefined);
  }

  private async startApp(
    name: AppProcess['name'],
    wantedPort: number,
    env: Readonly<Record<string, string>>,
    onLine?: (line: string) => void,
  ): Promise<void> {
    const port = await portNear(wantedPort);
    if (this.stopping) throw new ToolError('DEMO_FAILED', 'The demo was stopped.');
    if (port !== wantedPort) this.screen.line(`Port ${wantedPort} is taken: the ${name} listens on ${port}`);
    this.urls[name] = `http://127.0.0.1:${port}`;
    this.apps.push(new AppProcess(name, { ...env, PORT: String(port) }, onLine));
  }
}

/** The port that the documentation names, or any free one when somebody has it. */
async function portNear(port: number): Promise<number> {
  return (await isFree(port)) ? port : freePort();
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}
