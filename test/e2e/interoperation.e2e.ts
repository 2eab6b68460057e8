import { Logger, Worker, WorkerClient, type JsonObject, type Task } from '@mercury/messaging';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { publishOverHttp } from '../support/management';
import { Collector, until } from '../support/until';

/** Programs in other languages know the names and the JSON, and nothing else: here they are HTTP calls and plain AMQP. */
const LEVELS_MS = [100];

let rabbit: Rabbit;
let queueName: string;
let busName: string;

beforeAll(async () => {
  rabbit = await Rabbit.connect();
});

beforeEach(() => {
  queueName = uniqueName('interop');
  busName = uniqueName('interop-bus');
});

afterEach(async () => {
  await rabbit.deleteQueues(queueName, LEVELS_MS);
  await rabbit.use((channel) => channel.deleteExchange(busName));
});

afterAll(() => rabbit.close());

class RecordingWorker extends Worker {
  readonly seen = new Collector<Task>();

  constructor() {
    super({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS, maxAttempts: 2 });
  }

  handler(task: Task): void {
    this.seen.push(task);
    if (task.body['fail'] === task.attempt) throw new Error('as asked');
  }
}

class RecordingLogger extends Logger {
  readonly heard = new Collector<[string, JsonObject]>();

  override handleInfo(data: JsonObject): void {
    this.heard.push(['info', data]);
  }

  override handleCritical(data: JsonObject): void {
    this.heard.push(['critical', data]);
  }
}

it('executes a bare JSON body that a foreign program published through the default exchange', async () => {
  await using worker = new RecordingWorker();
  await worker.start();
  await publishOverHttp('amq.default', queueName, '{"type":"report","month":11}');
  const [task] = await worker.seen.atLeast(1);
  expect(task).toMatchObject({ type: 'report', body: { type: 'report', month: 11 }, attempt: 1 });
  expect(task?.id).toMatch(/^[\da-f-]{36}$/);
});

it('keeps the id that a foreign task got on arrival, and its body, over its retries', async () => {
  await using worker = new RecordingWorker();
  await worker.start();
  await publishOverHttp('amq.default', queueName, '{"type":"report","fail":1}');
  const [first, second] = await worker.seen.atLeast(2);
  expect(second).toMatchObject({ id: first?.id, type: 'report', attempt: 2, body: { type: 'report', fail: 1 } });
});

it('takes the id and type of a foreign program that sets properties', async () => {
  await using worker = new RecordingWorker();
  await worker.start();
  await rabbit.send(queueName, '{"month":11}', { messageId: 'order-7', type: 'report' });
  const [task] = await worker.seen.atLeast(1);
  expect(task).toMatchObject({ id: 'order-7', type: 'report', body: { month: 11 } });
});

it('gives a foreign consumer of the work queue exactly the JSON that was put', async () => {
  await using client = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS });
  await client.put({ type: 'event' });
  const message = await rabbit.take(queueName);
  expect(message?.content.toString()).toBe('{"type":"event"}');
});

it('gives the events to a foreign program that binds a queue of its own to the bus', async () => {
  await using logger = new Logger({ rabbitUrl: rabbitUrl(), name: busName });
  await logger.info({ warming: 'up' });
  const received = new Collector<[string, string]>();
  const model = rabbit.use(async (channel) => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, busName, 'critical');
    await channel.consume(queue, (message) => {
      if (message) received.push([message.fields.routingKey, message.content.toString()]);
    });
    await logger.info({ disk: 'fine' });
    await logger.critical({ disk: 'full' });
    await received.atLeast(1);
  });
  await model;
  expect(received.values).toEqual([['critical', '{"disk":"full"}']]);
});

it('lets our loggers hear a foreign program that publishes to the bus with a level as its key', async () => {
  await using logger = new RecordingLogger({ rabbitUrl: rabbitUrl(), name: busName });
  await logger.start();
  await publishOverHttp(busName, 'info', '{"from":"elsewhere"}');
  await publishOverHttp(busName, 'critical', '{"from":"elsewhere too"}');
  expect(await logger.heard.atLeast(2)).toEqual([
    ['info', { from: 'elsewhere' }],
    ['critical', { from: 'elsewhere too' }],
  ]);
});

it('skips an event that is no JSON object, reports it, and hears the next one', async () => {
  await using logger = new RecordingLogger({ rabbitUrl: rabbitUrl(), name: busName });
  const problems = new Collector<string>();
  logger.events.on('problem', (problem) => problems.push(problem.code));
  await logger.start();
  await publishOverHttp(busName, 'info', 'plain text');
  await publishOverHttp(busName, 'info', '{"n":2}');
  expect(await logger.heard.atLeast(1)).toEqual([['info', { n: 2 }]]);
  expect(problems.values).toEqual(['EVENT_SKIPPED']);
});

it('delivers each event to every logger, each from a temporary queue that is gone with it', async () => {
  const loggers = [1, 2].map(() => new RecordingLogger({ rabbitUrl: rabbitUrl(), name: busName }));
  await Promise.all(loggers.map((logger) => logger.start()));
  await loggers[0]!.info({ n: 1 });
  for (const logger of loggers) expect(await logger.heard.atLeast(1)).toEqual([['info', { n: 1 }]]);
  await Promise.all(loggers.map((logger) => logger.stop()));
  await until('nobody is bound to the bus', () =>
    rabbit.use(async (channel) => {
      const returned = new Promise<boolean>((resolve) => channel.once('return', () => resolve(true)));
      channel.publish(busName, 'info', Buffer.from('{}'), { mandatory: true });
      const confirmed = (channel as unknown as { waitForConfirms(): Promise<void> }).waitForConfirms();
      // Nacked: a queue was still bound, and ended before it had taken the event.
      const taken = confirmed.then(
        () => false,
        () => false,
      );
      return Promise.race([returned, taken]);
    }),
  );
});

it('tells how many events a logger has missed that was away', async () => {
  await using sender = new Logger({ rabbitUrl: rabbitUrl(), name: busName });
  await using logger = new RecordingLogger({ rabbitUrl: rabbitUrl(), name: busName });
  const missed = new Collector<string>();
  logger.events.on('problem', (problem) => missed.push(`${problem.code} ${problem.message}`));
  await logger.start();
  await sender.info({ n: 1 });
  await logger.heard.atLeast(1);
  // The exchange forgets its bindings: as good as away.
  await rabbit.use(async (channel) => {
    await channel.deleteExchange(busName);
    await channel.assertExchange(busName, 'direct', { durable: true });
  });
  for (const n of [2, 3, 4]) await sender.info({ n });
  await until(
    'the logger has bound itself again',
    async () => {
      await sender.info({ n: 'again?' });
      return logger.heard.values.length > 1;
    },
    20_000,
  );
  expect(missed.values).toEqual([expect.stringMatching(/^EVENTS_MISSED ([3-9]|\d{2,}) events with key "info"/)]);
});

it('does not mind that nobody listens', async () => {
  await using logger = new Logger({ rabbitUrl: rabbitUrl(), name: busName });
  await expect(logger.info({ anybody: 'there?' })).resolves.toBeUndefined();
});

it('says so when a foreign program has declared the bus with another type', async () => {
  await rabbit.use((channel) => channel.assertExchange(busName, 'fanout', { durable: true }));
  await using logger = new RecordingLogger({ rabbitUrl: rabbitUrl(), name: busName });
  logger.events.on('problem', () => undefined);
  await expect(logger.start()).rejects.toMatchObject({
    code: 'BROKER_TOPOLOGY_MISMATCH',
    message: expect.stringMatching(/inequivalent arg 'type'/) as string,
  });
  expect(logger.problem?.code).toBe('BROKER_TOPOLOGY_MISMATCH');
});
