import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child';
import { freePorts } from '../../tools/broker/ports';
import type { Scene } from './scene';
import { until, within } from './wait';

export type AppName = 'producer' | 'consumer' | 'logger';

const GRACE_MS = 33_000;

/** One of the applications, as users run it. It keeps its port when it is started again. */
export class App {
  private child: Child;
  private starts = 0;

  private constructor(
    private readonly scene: Scene,
    private readonly name: AppName,
    private readonly port: number,
  ) {
    this.child = this.start();
  }

  static async start(scene: Scene, name: AppName): Promise<App> {
    const [port = 0] = await freePorts(1);
    return new App(scene, name, port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async kill(): Promise<void> {
    await this.child.kill();
    this.child = this.start();
  }

  /** SIGTERM. Resolves to how long it took to end, in milliseconds. */
  terminate(): Promise<number> {
    return this.child.terminate(GRACE_MS);
  }

  /** The status of one of its health checks; undefined while it does not listen. */
  async health(check: 'live' | 'ready'): Promise<number | undefined> {
    return within(5_000, `the ${this.name} answers`, fetch(`${this.url}/health/${check}`)).then(
      ({ status }) => status,
      () => undefined,
    );
  }

  async ready(timeoutMs = 30_000): Promise<number> {
    return until(`the ${this.name} is ready`, async () => (await this.health('ready')) === 200, timeoutMs, 50);
  }

  /** Its memory, in bytes. */
  memoryBytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024;
  }

  private start(): Child {
    const { scene, name, port } = this;
    const env = {
      RABBITMQ_URL: scene.urls.join(','),
      PORT: String(port),
      QUEUE_NAME: scene.queueName,
      RETRY_DELAYS_MS: scene.retryDelaysMs.join(','),
      LOG_LEVEL: 'warn',
      LOG_FILE: join(scene.folder, 'critical.jsonl'),
    };
    const program = join(__dirname, `../../apps/${name}/src/main.js`);
    const log = join(scene.folder, `${name}-${port}.log`);
    const child = new Child(`${name} ${++this.starts}`, program, [], log, env);
    scene.others.push(child);
    return child;
  }
}
