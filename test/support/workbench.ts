import { Worker, WorkerClient, type KeyStore, type Task } from '@mercury/messaging';
import { Rabbit, rabbitUrl, uniqueName } from './rabbit';
import { Collector, inTime } from './until';

interface TestWorkerOptions {
  /** Default: the broker of this run. */
  rabbitUrl?: string;
  capacity?: number;
  maxAttempts?: number;
  handlerTimeoutMs?: number;
  drainTimeoutMs?: number;
  keyStore?: KeyStore;
}

/** Remembers the tasks that it saw, and how many ran at once. */
export class TestWorker extends Worker {
  readonly seen = new Collector<Task>();
  most = 0;

  constructor(
    queueName: string,
    retryDelaysMs: readonly number[],
    private readonly work: (task: Task) => unknown,
    options: TestWorkerOptions,
  ) {
    // A test that fails leaves handlers that never end: the next one is not to wait for them long.
    super({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs, maxAttempts: 3, drainTimeoutMs: 8_000, ...options });
  }

  override start(): Promise<void> {
    const starting = inTime('the worker consumes', super.start(), 15_000);
    // As that of a worker itself: who does not wait for it must not die of it.
    starting.catch(() => undefined);
    return starting;
  }

  override stop(): Promise<void> {
    return inTime('the worker has stopped', super.stop(), 20_000);
  }

  override async handler(task: Task): Promise<void> {
    this.most = Math.max(this.most, this.runningCount);
    this.seen.push(task);
    await this.work(task);
  }
}

/** A queue of its own for each test of a file, with clients and workers that are stopped after it. */
export class Workbench {
  rabbit!: Rabbit;
  queueName!: string;
  private readonly stopAfter: { stop(): Promise<void> }[] = [];

  constructor(readonly retryDelaysMs: readonly number[]) {
    beforeAll(async () => {
      this.rabbit = await Rabbit.connect();
    });
    beforeEach(() => {
      this.queueName = uniqueName('worker');
    });
    afterEach(async () => {
      await Promise.all(this.stopAfter.splice(0).map((each) => each.stop()));
      await this.rabbit.deleteQueues(this.queueName, this.retryDelaysMs);
    });
    afterAll(() => this.rabbit.close());
  }

  client(): WorkerClient {
    const { queueName, retryDelaysMs } = this;
    const client = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs });
    this.stopAfter.push(client);
    return client;
  }

  worker(work: (task: Task) => unknown, options: TestWorkerOptions = {}): TestWorker {
    const worker = new TestWorker(this.queueName, this.retryDelaysMs, work, options);
    this.stopAfter.push(worker);
    return worker;
  }
}
