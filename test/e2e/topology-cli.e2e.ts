import { EventBus, Worker, WorkerClient, dueQueueOf, topologyDifferences, type Task } from '@mercury/messaging';
import { Processes } from '../support/processes';
import { Rabbit } from '../support/rabbit';
import { Collector } from '../support/until';
import { Used } from '../support/used';
import { VirtualHost } from '../support/virtual-host';

const QUEUES = ['--queue', 'reports', '--queue', 'mails', '--retry-delays', '100', '--schedules'];
const WHICH = [...QUEUES, '--bus', 'shop:topic', '--subscription', 'shop:billing:order.paid,order.sent'];
const PLAN = {
  queues: ['reports', 'mails'].map((queueName) => ({ queueName, retryDelaysMs: [100], schedules: true })),
  buses: [{ name: 'shop', kind: 'topic' as const }],
};

const processes = new Processes();
const used = new Used();
let host: VirtualHost;
let rabbit: Rabbit;

beforeEach(async () => {
  host = await VirtualHost.create();
  rabbit = await Rabbit.connect(host.url);
  processes.env['RABBITMQ_URL'] = host.url;
});
afterEach(async () => {
  await used.stop();
  await rabbit.close();
  await host.delete();
});

/** `npm run mercury -- topology …` to its end. */
async function topology(...args: string[]) {
  const command = processes.start('mercury', 'topology', ...args);
  return { code: await command.exit, stdout: command.stdout, lines: command.lines };
}

class Working extends Worker {
  readonly done = new Collector<string>();

  handler({ type, attempt }: Task): void {
    if (attempt === 1) throw new Error('It fails once.');
    this.done.push(type);
  }
}

it('what it prints as definitions RabbitMQ imports, and programs that only check work with it', async () => {
  const { code, stdout } = await topology('print', ...WHICH, '-o', 'definitions', '--vhost', host.name);
  expect(code).toBe(0);
  await VirtualHost.import(JSON.parse(stdout.join('')) as object);
  expect(await topologyDifferences({ rabbitUrl: host.url }, PLAN)).toEqual([]);
  const bus = used.add(new EventBus({ rabbitUrl: host.url, name: 'shop', topology: 'check' }, 'topic'));
  await bus.publish('order.sent', { orderId: 1 }, { mandatory: true });
  expect(await rabbit.depth('shop.billing')).toBe(1);
  const options = { rabbitUrl: host.url, queueName: 'reports', retryDelaysMs: [100], topology: 'check' as const };
  const worker = used.add(new Working(options));
  await worker.start();
  const client = used.add(new WorkerClient(options));
  await client.put({ type: 'later' }, { delayMs: 1_000 });
  expect(await worker.done.atLeast(1)).toEqual(['later']);
});

it('says what is missing or differs, in the words of the broker, and applies what is missing', async () => {
  await host.define(JSON.parse((await topology('print', ...WHICH, '-o', 'definitions')).stdout.join('')) as object);
  await rabbit.use(async (channel) => {
    await channel.deleteQueue('reports.delay.1000');
    await channel.deleteQueue('mails.retry.100');
    await channel.assertQueue('mails.retry.100', { durable: true });
    await channel.deleteExchange('shop');
    await channel.assertExchange('shop', 'fanout');
  });
  const differing = await topology('diff', ...WHICH);
  expect(differing.code).toBe(4);
  expect(differing.stdout).toEqual([
    expect.stringMatching(/^KIND +NAME +DIFFERENCE$/),
    expect.stringMatching(/^queue +reports\.delay\.1000 +missing$/),
    expect.stringMatching(
      /^exchange +shop +PRECONDITION_FAILED - inequivalent arg 'type' .*'topic' but current is 'fanout'/,
    ),
    expect.stringMatching(/^queue +mails\.retry\.100 +PRECONDITION_FAILED - inequivalent arg 'x-/),
  ]);
  expect((await topology('apply', ...WHICH)).code).toBe(1);
  await rabbit.use(async (channel) => {
    await channel.deleteQueue('mails.retry.100');
    await channel.deleteExchange('shop');
    await channel.deleteQueue(dueQueueOf('mails'));
  });
  const applied = await topology('apply', ...WHICH);
  expect(applied).toMatchObject({ code: 0, stdout: [] });
  expect(await topologyDifferences({ rabbitUrl: host.url }, PLAN)).toEqual([]);
  expect(await host.queuesBoundTo('mercury.back')).toContain(dueQueueOf('mails'));
});
