import { DiscardTask, RetryTask, Worker, WorkerClient, deadQueueOf, type Task } from '@mercury/messaging';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { Collector, gate, until } from '../support/until';

const LEVELS_MS = [100, 300];

let rabbit: Rabbit;
let queueName: string;
const stopAfter: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  rabbit = await Rabbit.connect();
});

beforeEach(() => {
  queueName = uniqueName('worker');
});

afterEach(async () => {
  await Promise.all(stopAfter.splice(0).map((each) => each.stop()));
  await rabbit.deleteQueues(queueName, LEVELS_MS);
});

afterAll(() => rabbit.close());

function client(): WorkerClient {
  const made = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS });
  stopAfter.push(made);
  return made;
}

class TestWorker extends Worker {
  readonly seen = new Collector<Task>();
  most = 0;

  constructor(
    private readonly work: (task: Task) => unknown,
    options: { capacity?: number; maxAttempts?: number; handlerTimeoutMs?: number; drainTimeoutMs?: number } = {},
  ) {
    super({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS, maxAttempts: 3, ...options });
    stopAfter.push(this);
  }

  override async handler(task: Task): Promise<void> {
    this.most = Math.max(this.most, this.runningCount);
    this.seen.push(task);
    await this.work(task);
  }
}

describe('capacity', () => {
  it('never runs more tasks at once than its capacity, whatever is queued', async () => {
    const sender = client();
    await Promise.all(Array.from({ length: 100 }, (_, number) => sender.put({ type: 'count', number })));
    const worker = new TestWorker(() => new Promise((resolve) => setImmediate(resolve)), { capacity: 2 });
    await worker.start();
    await worker.seen.atLeast(100);
    expect(worker.most).toBe(2);
  });

  it('leaves what it has no capacity for in the queue, for other workers', async () => {
    const hold = gate();
    const sender = client();
    const busy = new TestWorker(() => hold.opened, { capacity: 1 });
    await busy.start();
    await Promise.all([1, 2, 3].map((number) => sender.put({ type: 'count', number })));
    await busy.seen.atLeast(1);
    const idle = new TestWorker(() => undefined, { capacity: 1 });
    await idle.start();
    await idle.seen.atLeast(2);
    expect(busy.seen.values).toHaveLength(1);
    hold.open();
  });

  it('shares a queue fairly between two workers of the same capacity', async () => {
    const sender = client();
    const workers = [1, 2].map(() => new TestWorker(() => new Promise(setImmediate), { capacity: 2 }));
    await Promise.all(workers.map((worker) => worker.start()));
    await Promise.all(Array.from({ length: 200 }, (_, number) => sender.put({ type: 'count', number })));
    const total = () => workers.reduce((sum, worker) => sum + worker.seen.values.length, 0);
    await until('200 tasks executed', () => total() === 200);
    for (const worker of workers) expect(worker.seen.values.length).toBeGreaterThan(50);
  });
});

describe('put', () => {
  it('resolves to the id of a task that is stored, as exactly the JSON that was put', async () => {
    const id = await client().put({ type: 'event', nested: { list: [1, 'ä', null] } });
    const message = await rabbit.take(queueName);
    expect(message?.content.toString()).toBe('{"type":"event","nested":{"list":[1,"ä",null]}}');
    expect(message?.properties).toMatchObject({
      messageId: id,
      type: 'event',
      contentType: 'application/json',
      deliveryMode: 2,
      appId: 'mercury',
      headers: { 'x-attempt': 1, 'x-enqueued-at-ms': expect.any(Number) as number },
    });
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7/);
  });

  it('fails when the queue was deleted meanwhile, instead of losing the task silently', async () => {
    const sender = client();
    await sender.put({ type: 'event' });
    await rabbit.use((channel) => channel.deleteQueue(queueName));
    await expect(sender.put({ type: 'event' })).rejects.toMatchObject({
      code: 'PUBLISH_RETURNED',
      outcome: 'returned',
    });
  });

  it('fails within its deadline when the broker is away, and says so', async () => {
    const away = new WorkerClient({ rabbitUrl: 'amqp://127.0.0.1:1', queueName, publishTimeoutMs: 300 });
    away.events.on('problem', () => undefined);
    const startedAtMs = performance.now();
    await expect(away.put({ type: 'event' })).rejects.toMatchObject({
      code: 'PUBLISH_NOT_SENT',
      message: expect.stringContaining('cannot be reached') as string,
    });
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    await away.stop();
  });

  it('refuses what is no task before anything is sent', async () => {
    const sender = client();
    await expect(sender.put([] as object)).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(sender.put({ no: 'type' })).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(sender.put({ type: 'event' }, { id: 'with space' })).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(sender.put({ type: 'event', big: 'x'.repeat(1_048_576) })).rejects.toMatchObject({
      code: 'TASK_TOO_LARGE',
    });
  });
});

describe('a failing handler', () => {
  it('gets the task again after each retry level, then the task is a dead letter that says why', async () => {
    const worker = new TestWorker(() => {
      throw new TypeError('no such report');
    });
    await worker.start();
    const id = await client().put({ type: 'report' });
    await until('the dead letter', async () => (await rabbit.depth(deadQueueOf(queueName))) === 1);
    expect(worker.seen.values.map((task) => [task.id, task.attempt])).toEqual(
      [1, 2, 3].map((attempt) => [id, attempt]),
    );
    const letter = await rabbit.take(deadQueueOf(queueName));
    expect(letter?.content.toString()).toBe('{"type":"report"}');
    expect(letter?.properties).toMatchObject({ messageId: id, type: 'report' });
    const headers = letter?.properties.headers as Record<string, unknown>;
    expect(headers).toMatchObject({
      'x-error-code': 'HANDLER_FAILED',
      'x-error-message': 'TypeError: no such report',
      'x-attempt': 3,
      'x-origin-queue': queueName,
    });
    expect(Number(headers['x-last-failed-at-ms']) - Number(headers['x-first-failed-at-ms'])).toBeGreaterThanOrEqual(
      400,
    );
    expect(await rabbit.depth(queueName)).toBe(0);
  });

  it('succeeds on a later attempt', async () => {
    const worker = new TestWorker((task) => {
      if (task.attempt === 1) throw new Error('not yet');
    });
    const outcomes = new Collector<string>();
    worker.events.on('settled', ({ attempt, outcome }) => outcomes.push(`${attempt} ${outcome.kind}`));
    await worker.start();
    await client().put({ type: 'report' });
    expect(await outcomes.atLeast(2)).toEqual(['1 retry', '2 success']);
  });

  it('is not asked again when it throws DiscardTask', async () => {
    const worker = new TestWorker(() => {
      throw new DiscardTask('the customer is gone', { code: 'CUSTOMER_GONE' });
    });
    await worker.start();
    await client().put({ type: 'report' });
    await until('the dead letter', async () => (await rabbit.depth(deadQueueOf(queueName))) === 1);
    const letter = await rabbit.take(deadQueueOf(queueName));
    expect(letter?.properties.headers).toMatchObject({ 'x-error-code': 'CUSTOMER_GONE', 'x-attempt': 1 });
  });

  it('is asked again no earlier than a RetryTask wants', async () => {
    const times: number[] = [];
    const worker = new TestWorker((task) => {
      times.push(Date.now());
      if (task.attempt === 1) throw new RetryTask('busy', { delayMs: 200 });
    });
    await worker.start();
    await client().put({ type: 'report' });
    await worker.seen.atLeast(2);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(200);
  });

  it('is cut off after its timeout: the signal aborts, and the attempt has failed', async () => {
    const aborted = new Collector<unknown>();
    const worker = new TestWorker(
      (task) => new Promise(() => task.signal.addEventListener('abort', () => aborted.push(task.signal.reason))),
      { handlerTimeoutMs: 50, maxAttempts: 1 },
    );
    await worker.start();
    await client().put({ type: 'report' });
    expect(await aborted.atLeast(1)).toMatchObject([{ code: 'HANDLER_TIMEOUT' }]);
    await until('the dead letter', async () => (await rabbit.depth(deadQueueOf(queueName))) === 1);
  });
});

describe('a message that is no task', () => {
  it.each([
    ['INVALID_JSON', 'not json'],
    ['INVALID_JSON', Buffer.from([0xff, 0xfe, 0x00])],
    ['INVALID_JSON', ''],
    ['NOT_AN_OBJECT', '[1,2]'],
    ['NOT_AN_OBJECT', 'null'],
    ['NO_TYPE', '{"a":1}'],
    ['NO_TYPE', '{"type":7}'],
  ])('is a dead letter %s at once, unchanged, and the worker goes on: %p', async (code, body) => {
    const worker = new TestWorker(() => undefined);
    await worker.start();
    await rabbit.send(queueName, body);
    await until('the dead letter', async () => (await rabbit.depth(deadQueueOf(queueName))) === 1);
    const letter = await rabbit.take(deadQueueOf(queueName));
    expect(letter?.content).toEqual(Buffer.from(body));
    expect(letter?.properties.headers).toMatchObject({ 'x-error-code': code, 'x-attempt': 1 });
    await client().put({ type: 'fine' });
    await worker.seen.atLeast(1);
    expect(worker.seen.values.map((task) => task.type)).toEqual(['fine']);
  });
});

describe('start', () => {
  it('resolves once the worker consumes, and does not wait for tasks', async () => {
    const worker = new TestWorker(() => undefined);
    await worker.start();
    expect(worker.problem).toBeUndefined();
  });

  it('rejects for a wrong password, without repeating it', async () => {
    const url = new URL(rabbitUrl());
    url.password = 'wrong-secret';
    const worker = new (class extends Worker {
      handler(): void {}
    })({ rabbitUrl: url.href, queueName });
    worker.events.on('problem', () => undefined);
    const error: unknown = await worker.start().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'BROKER_ACCESS_REFUSED' });
    expect(String(error)).not.toContain('wrong-secret');
    await worker.stop();
  });

  it('uses a durable quorum queue that exists with other arguments, and reports the difference', async () => {
    const problems = new Collector<string>();
    await rabbit.use((channel) =>
      channel.assertQueue(queueName, { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-max-length': 7 } }),
    );
    const worker = new TestWorker(() => undefined);
    worker.events.on('problem', (problem) => problems.push(`${problem.code} ${problem.message}`));
    await worker.start();
    await client().put({ type: 'fine' });
    await worker.seen.atLeast(1);
    expect(problems.values[0]).toMatch(/BROKER_TOPOLOGY_MISMATCH .*inequivalent arg 'x-/);
  });

  it.each([
    ['classic', { durable: true, arguments: { 'x-max-length': 7 } }],
    ['not durable', { durable: false, exclusive: true }],
  ])('rejects when the queue exists and cannot keep the promise: %s', async (_kind, options) => {
    await rabbit.use(async (channel) => {
      await channel.assertQueue(queueName, options);
      const worker = new TestWorker(() => undefined);
      worker.events.on('problem', () => undefined);
      await expect(worker.start()).rejects.toMatchObject({
        code: 'BROKER_TOPOLOGY_MISMATCH',
        message: expect.stringContaining(queueName) as string,
      });
    });
  });
});

describe('stop', () => {
  it('waits for the tasks that run, and gives nothing of them twice', async () => {
    const hold = gate();
    const worker = new TestWorker(() => hold.opened, { capacity: 1 });
    await worker.start();
    await client().put({ type: 'report' });
    await worker.seen.atLeast(1);
    const stopped = worker.stop();
    hold.open();
    await stopped;
    expect(await rabbit.depth(queueName)).toBe(0);
  });

  it('leaves what it did not start in the queue, with its attempt number', async () => {
    const hold = gate();
    const sender = client();
    const worker = new TestWorker(() => hold.opened, { capacity: 1 });
    await worker.start();
    await sender.put({ type: 'first' });
    await worker.seen.atLeast(1);
    await sender.put({ type: 'second' });
    const stopped = worker.stop();
    hold.open();
    await stopped;
    const left = await rabbit.take(queueName);
    expect(left?.properties).toMatchObject({ type: 'second', headers: { 'x-attempt': 1 } });
  });

  it('waits no longer than its deadline: the task then goes to another worker', async () => {
    const stuck = new TestWorker((task) => new Promise((resolve) => task.signal.addEventListener('abort', resolve)), {
      drainTimeoutMs: 100,
    });
    await stuck.start();
    await client().put({ type: 'report' });
    await stuck.seen.atLeast(1);
    await stuck.stop();
    const other = new TestWorker(() => undefined);
    await other.start();
    const [task] = await other.seen.atLeast(1);
    expect(task).toMatchObject({ type: 'report', attempt: 1 });
  });

  it('happens by itself at the end of an `await using` block', async () => {
    let client: WorkerClient;
    {
      await using scoped = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS });
      await scoped.put({ type: 'event' });
      client = scoped;
    }
    await expect(client.put({ type: 'event' })).rejects.toMatchObject({ code: 'PUBLISH_NOT_SENT' });
  });
});

describe('a broker that deletes the queue under a worker', () => {
  it('gets it declared again, and the worker comes back', async () => {
    const worker = new TestWorker(() => undefined);
    worker.events.on('problem', () => undefined);
    await worker.start();
    const again = new Promise<void>((resolve) => worker.events.once('ready', resolve));
    await rabbit.use((channel) => channel.deleteQueue(queueName));
    await again;
    await client().put({ type: 'after' });
    await worker.seen.atLeast(1);
  });
});
