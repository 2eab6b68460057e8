import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type ConfirmChannel } from 'amqplib';
import {
  DeadLetters,
  DiscardTask,
  Logger,
  Scheduler,
  Worker,
  WorkerClient,
  applyTopology,
  type Task,
  type TopologyMode,
} from '@mercury/messaging';
import { Collector, until } from '../support/until';
import { Used } from '../support/used';
import { VirtualHost } from '../support/virtual-host';

const queueName = 'tasks';
const bus = 'logs';
const retryDelaysMs = [100];

interface Rights {
  configure: string;
  write: string;
  read: string;
}

/** The lines of the documentation: what is promised there is what is tried here. */
const lines = new Map<string, Rights>();
const cell = (text: string) =>
  text
    .trim()
    .replaceAll('\\|', '|')
    .replace(/^`(.*)`$/, '$1');
for (const line of readFileSync(join(__dirname, '../../docs/operations.md'), 'utf8').split('\n')) {
  const [, program = '', mode = '', configure = '', write = '', read = ''] = line.split(/(?<!\\)\|/).map(cell);
  if (/^(declare|check|none)$/.test(mode) && read.startsWith('^'))
    lines.set(`${program}, ${mode}`, { configure, write, read });
}

class Hearing extends Logger {
  readonly heard = new Collector<object>();

  override handleInfo(data: object): void {
    this.heard.push(data);
  }
}

class Working extends Worker {
  readonly done = new Collector<string>();

  async handler({ type, attempt }: Task): Promise<void> {
    if (type === 'dies') throw new DiscardTask('It is to die.');
    if (type === 'fails' && attempt === 1) throw new Error('It fails once.');
    this.done.push(type);
  }
}

let host: VirtualHost;
const used = new Used();
const urls = new Map<string, string>();

/** Of a user with the rights of that line. */
async function urlOf(program: string): Promise<string> {
  const rights = lines.get(program);
  if (!rights) throw new Error(`docs/operations.md has no line for ${program}: ${[...lines.keys()].join('; ')}`);
  const url = urls.get(program) ?? (await host.userWith(rights));
  urls.set(program, url);
  return url;
}

/** What the broker says against it; undefined when it may be done. */
async function refusalOf(
  program: string,
  work: (channel: ConfirmChannel) => Promise<unknown>,
): Promise<string | undefined> {
  const model = await connect(await urlOf(program));
  try {
    const channel = await model.createConfirmChannel();
    const closed = new Promise<string>((resolve) => channel.once('error', (error: Error) => resolve(error.message)));
    const done = work(channel).then(() => channel.waitForConfirms());
    return await Promise.race([closed, done.then(() => undefined)]).catch((error: Error) => error.message);
  } finally {
    await model.close();
  }
}

const consume = (queue: string) => (channel: ConfirmChannel) => channel.consume(queue, () => undefined);
const declare = (queue: string) => (channel: ConfirmChannel) => channel.assertQueue(queue);
const publish = (exchange: string, key: string) => async (channel: ConfirmChannel) =>
  void channel.publish(exchange, key, Buffer.from('{"type":"foreign"}'));

/** Producer, consumer and logger do their work, each as its own user. */
async function play(mode: TopologyMode): Promise<void> {
  const url = (program: string) => urlOf(`${program}, ${mode}`);
  const common = { queueName, retryDelaysMs, topology: mode };
  const worker = used.add(new Working({ ...common, rabbitUrl: await url('consumer') }));
  await worker.start();
  const logger = used.add(new Hearing({ name: bus, topology: mode, rabbitUrl: await url('logger') }));
  await logger.start();
  for (const program of ['producer', 'consumer']) {
    const publisher = used.add(new Logger({ name: bus, topology: mode, rabbitUrl: await url(program) }));
    await publisher.info({ program });
  }
  const client = used.add(new WorkerClient({ ...common, rabbitUrl: await url('producer') }));
  await Promise.all([
    client.put({ type: 'now' }),
    client.put({ type: 'later' }, { delayMs: 1_100 }),
    client.put({ type: 'fails' }),
    client.put({ type: 'dies' }),
  ]);
  expect((await logger.heard.atLeast(2)).map((event) => JSON.stringify(event)).sort()).toEqual([
    '{"program":"consumer"}',
    '{"program":"producer"}',
  ]);
  expect((await worker.done.atLeast(3)).sort()).toEqual(['fails', 'later', 'now']);
  expect([worker.problem, client.problem, logger.problem]).toEqual([undefined, undefined, undefined]);
}

beforeAll(async () => {
  host = await VirtualHost.create();
});
afterEach(() => used.stop());
afterAll(() => host.delete());

describe("with topology 'declare'", () => {
  it('producer, consumer and logger declare all that they need, and work', () => play('declare'));

  it.each<[string, string, (channel: ConfirmChannel) => Promise<unknown>]>([
    ['producer', 'declare another queue', declare('other')],
    ['producer', 'read another queue', consume('other')],
    ['producer', 'publish elsewhere', publish('amq.topic', 'a')],
    ['consumer', 'declare another queue', declare('other')],
    ['consumer', 'read another queue', consume('other')],
    ['consumer', 'publish elsewhere', publish('amq.topic', 'a')],
    ['logger', 'read the work queue', consume('tasks')],
    ['logger', 'publish on the bus', publish('logs', 'info')],
    ['logger', 'declare a queue with a name', declare('other')],
  ])('the %s cannot %s', async (program, _what, work) => {
    expect(await refusalOf(`${program}, declare`, work)).toMatch(/ACCESS[_-]REFUSED/);
  });
});

describe("with topology 'check'", () => {
  beforeAll(async () => {
    await host.delete();
    host = await VirtualHost.create();
    urls.clear();
    const rabbitUrl = await urlOf('operator, declare');
    await applyTopology(
      { rabbitUrl },
      { queues: [{ queueName, retryDelaysMs, schedules: true }], buses: [{ name: bus }] },
    );
  });

  it('producer, consumer and logger work without a right to declare', () => play('check'));

  it('a foreign publisher gives tasks to the queue', async () => {
    const publisher = 'foreign publisher, none';
    const worker = used.add(
      new Working({ queueName, retryDelaysMs, topology: 'check', rabbitUrl: await urlOf('consumer, check') }),
    );
    await worker.start();
    expect(await refusalOf(publisher, publish('mercury.tasks', 'tasks'))).toBeUndefined();
    expect(await worker.done.atLeast(1)).toEqual(['foreign']);
  });

  it('a scheduler leads and puts', async () => {
    const schedules = [{ name: 'often', cron: '* * * * * *', type: 'tick', body: {} }];
    const rabbitUrl = await urlOf('scheduler, check');
    const scheduler = used.add(new Scheduler({ queueName, retryDelaysMs, topology: 'check', rabbitUrl, schedules }));
    const ticks = new Collector<string>();
    scheduler.events.on('enqueued', ({ id }) => ticks.push(id));
    await scheduler.start();
    await ticks.atLeast(1);
  });

  it('a reader of dead letters lists and replays', async () => {
    const letters = used.add(
      new DeadLetters({ queueName, topology: 'check', rabbitUrl: await urlOf('reader of dead letters, check') }),
    );
    await until('the letter is there', async () => (await letters.list()).matched === 1);
    for await (const { replayed } of letters.replay({})) expect(replayed).toBeLessThanOrEqual(1);
    expect((await letters.list()).matched).toBe(0);
  });

  it.each<[string, string, (channel: ConfirmChannel) => Promise<unknown>]>([
    ['operator, declare', 'put a task past the exchange', publish('', 'tasks')],
    ['operator, declare', 'publish on the bus', publish('logs', 'info')],
    ['producer, check', 'read the work queue', consume('tasks')],
    ['producer, check', 'declare the work queue', declare('tasks')],
    ['producer, check', 'have the bus write into the queue', (channel) => channel.bindQueue('tasks', 'logs', 'info')],
    ['producer, check', 'bury what is no task of its own', publish('mercury.dead', 'tasks')],
    ['consumer, check', 'read the dead letters', consume('tasks.dead')],
    ['consumer, check', 'declare the work queue', declare('tasks')],
    ['consumer, check', 'listen to the bus', (channel) => channel.bindQueue('tasks', 'logs', 'info')],
    ['logger, check', 'publish on the bus', publish('logs', 'info')],
    ['logger, check', 'read the work queue', consume('tasks')],
    ['logger, check', 'declare the bus', (channel) => channel.assertExchange('logs', 'direct')],
    ['scheduler, check', 'read the work queue', consume('tasks')],
    ['scheduler, check', 'declare a queue', declare('tasks.schedule')],
    ['reader of dead letters, check', 'read the work queue', consume('tasks')],
    ['reader of dead letters, check', 'publish on the bus', publish('logs', 'info')],
    ['foreign publisher, none', 'read the work queue', consume('tasks')],
    ['foreign publisher, none', 'declare a queue', declare('other')],
    ['foreign publisher, none', 'reach a queue past the exchange', publish('', 'tasks.dead')],
  ])('%s cannot %s', async (program, _what, work) => {
    expect(await refusalOf(program, work)).toMatch(/ACCESS[_-]REFUSED/);
  });

  it('every line of the documentation was used', () => {
    const declaring = ['producer, declare', 'consumer, declare', 'logger, declare'];
    expect([...lines.keys()].filter((program) => !urls.has(program))).toEqual(declaring);
  });
});
