import { until } from '../../../../test/support/until';
import { EventBus } from '../bus/event-bus';
import type { BrokerError, MercuryError } from '../errors';
import { Scheduler } from '../schedules/scheduler';
import { Worker } from '../tasks/worker';
import { WorkerClient } from '../tasks/worker-client';
import { MemoryBroker } from '../testing/memory-broker';
import { MemoryChannel } from '../testing/memory-channel';
import type { Connections } from './connection';
import type { TopologyMode } from './options';
import { declareScheduleTopology, declareTaskTopology, delayQueueOf, retryQueueOf } from './topology';

const queueName = 'reports';
const retryDelaysMs = [1_000, 60_000];

class Counting extends Worker {
  readonly seen: string[] = [];

  handler({ id }: { id: string }): void {
    this.seen.push(id);
  }
}

let broker: MemoryBroker;
let connections: Connections;
let problems: string[];
const used: { stop(): Promise<void> }[] = [];

beforeEach(() => {
  broker = new MemoryBroker();
  connections = broker.connect();
  problems = [];
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(used.splice(0).map((each) => each.stop()));
});

function use<
  Thing extends { stop(): Promise<void>; events: { on(name: 'problem', tell: (p: MercuryError) => void): unknown } },
>(thing: Thing): Thing {
  thing.events.on('problem', ({ code }) => problems.push(code));
  used.push(thing);
  return thing;
}

const worker = (topology: TopologyMode) => use(new Counting({ connections, queueName, retryDelaysMs, topology }));
const client = (topology: TopologyMode) => use(new WorkerClient({ connections, queueName, retryDelaysMs, topology }));

/** What an operator does. */
async function apply(withDelays = true): Promise<void> {
  const operator = { mode: 'declare' as const, onMismatch: (problem: BrokerError) => void problems.push(problem.code) };
  await declareTaskTopology(connections.consuming, queueName, retryDelaysMs, operator, withDelays);
}

const onChannel = async (
  work: (channel: Awaited<ReturnType<Connections['consuming']['openChannel']>>) => Promise<unknown>,
) => {
  const channel = await connections.consuming.openChannel();
  await work(channel);
  await channel.close();
};

/** What was declared or bound while it ran. */
function declarations(): () => number {
  const calls = (['assertQueue', 'assertExchange', 'bindQueue'] as const).map((name) =>
    jest.spyOn(MemoryChannel.prototype, name),
  );
  return () => calls.reduce((sum, { mock }) => sum + mock.calls.length, 0);
}

const missing = (...names: string[]) => ({
  code: 'BROKER_TOPOLOGY_MISSING',
  message: expect.stringMatching(
    new RegExp(
      `${names.map((name) => name.replaceAll('.', '\\.')).join('.*')}.*mercury topology apply --queue 'reports' --retry-delays 1000,60000`,
    ),
  ) as unknown,
});

describe("topology 'check'", () => {
  it('declares nothing, and says all that is missing with the command that declares it', async () => {
    const declared = declarations();
    const idle = worker('check');
    const names = [
      'exchange "mercury.tasks"',
      'queue "reports"',
      'queue "reports.dead"',
      'queue "reports.delay.86400000"',
    ];
    await expect(idle.start()).rejects.toMatchObject(missing(...names));
    expect(idle.problem).toMatchObject({ code: 'BROKER_TOPOLOGY_MISSING' });
    await expect(client('check').put({ type: 'a' })).rejects.toMatchObject({
      code: 'PUBLISH_NOT_SENT',
      cause: missing('queue "reports"'),
    });
    expect(declared()).toBe(0);
  });

  it.each([
    ['the dead queue', 'reports.dead'],
    ['a retry level', retryQueueOf(queueName, 60_000)],
    ['a delay level', delayQueueOf(queueName, 1_000)],
  ])('misses %s alone', async (_what, queue) => {
    await apply();
    await onChannel((channel) => channel.deleteQueue(queue));
    await expect(worker('check').start()).rejects.toMatchObject(missing(`queue "${queue}"`));
  });

  it('works with what an operator has declared, delays as well, and begins once it is there', async () => {
    const early = worker('check');
    await expect(early.start()).rejects.toMatchObject(missing('queue "reports"'));
    await apply();
    const ids = await Promise.all([
      client('check').put({ type: 'now' }),
      client('check').put({ type: 'later' }, { delayMs: 5_000 }),
    ]);
    await until('it consumes', () => early.problem === undefined);
    await broker.advance(10_000);
    await until('both have run', () => early.seen.length === 2);
    expect(early.seen.sort()).toEqual(ids.sort());
  });

  it('refuses a queue that cannot keep its tasks, and tells of another that differs', async () => {
    await onChannel((channel) =>
      channel.assertQueue('reports.dead', { durable: true, arguments: { 'x-queue-type': 'quorum' } }),
    );
    await apply().catch(() => undefined);
    await expect(worker('check').start()).rejects.toMatchObject({
      code: 'BROKER_TOPOLOGY_MISMATCH',
      message: expect.stringContaining('Queue "reports.dead" exists') as unknown,
    });
    await onChannel((channel) => channel.deleteQueue('reports.dead'));
    await onChannel((channel) => channel.deleteQueue(queueName));
    await onChannel((channel) =>
      channel.assertQueue(queueName, { durable: true, arguments: { 'x-queue-type': 'quorum' } }),
    );
    await apply();
    problems = [];
    await worker('check').start();
    // Told by each of its connections.
    expect(new Set(problems)).toEqual(new Set(['BROKER_TOPOLOGY_MISMATCH']));
  });

  it('refuses a queue that somebody else has for himself', async () => {
    const other = await broker.connect().consuming.openChannel();
    await other.assertQueue('reports.dead', { exclusive: true, durable: false });
    await apply().catch(() => undefined);
    await expect(worker('check').start()).rejects.toMatchObject({
      code: 'BROKER_TOPOLOGY_MISMATCH',
      message: expect.stringContaining('Queue "reports.dead" exists') as unknown,
    });
  });

  it('needs no right to declare, and tries but once', async () => {
    await apply();
    const refused = Object.assign(new Error("403 ACCESS_REFUSED - configure access to queue 'reports'"), { code: 403 });
    // As RabbitMQ 4.3 does for who has no right at all on it.
    const { checkExchange } = MemoryChannel.prototype;
    const looks = jest.spyOn(MemoryChannel.prototype, 'checkExchange').mockImplementation(function (
      this: MemoryChannel,
      name,
    ) {
      return name === 'mercury.back' ? Promise.reject(refused) : checkExchange.call(this, name);
    });
    const assertQueue = jest.spyOn(MemoryChannel.prototype, 'assertQueue').mockRejectedValue(refused);
    const [one, other] = [worker('check'), client('check')];
    await one.start();
    const id = await other.put({ type: 'a' });
    await broker.untilIdle();
    expect(one.seen).toEqual([id]);
    // Once on each connection.
    expect(assertQueue).toHaveBeenCalledTimes(2);
    expect(looks.mock.calls.filter(([name]) => name === 'mercury.back')).toHaveLength(2);
    expect(problems).toEqual([]);
  });

  it('is the same for a scheduler and for a bus', async () => {
    const schedules = [{ name: 'nightly', cron: '0 3 * * *', type: 'a', body: {} }];
    const scheduler = use(new Scheduler({ connections, queueName, retryDelaysMs, schedules, topology: 'check' }));
    await apply();
    await expect(scheduler.start()).rejects.toMatchObject({
      code: 'BROKER_TOPOLOGY_MISSING',
      message: expect.stringMatching(
        /queue "reports.schedule".*--queue 'reports' --retry-delays 1000,60000 --schedules/,
      ) as unknown,
    });
    const bus = use(new EventBus({ connections, name: 'shop', topology: 'check' }, 'topic'));
    const wrong = {
      code: 'BROKER_TOPOLOGY_MISSING',
      message: expect.stringMatching(/exchange "shop".*--bus 'shop:topic'/) as unknown,
    };
    await expect(bus.subscribe([{ key: '#' }], () => undefined).ready).rejects.toMatchObject(wrong);
    await declareScheduleTopology(connections.consuming, queueName, retryDelaysMs, {
      mode: 'declare',
      onMismatch: () => undefined,
    });
    await until('it takes part', () => scheduler.problem === undefined);
    await onChannel((channel) => channel.assertExchange('shop', 'topic'));
    const heard: string[] = [];
    const { ready } = bus.subscribe([{ key: '#' }], ({ key }) => heard.push(key));
    await ready;
    await bus.publish('a.b', {});
    await broker.untilIdle();
    expect(heard).toEqual(['a.b']);
  });
});

describe("topology 'none'", () => {
  it('neither declares nor looks, and works with what is there', async () => {
    await apply();
    const declared = declarations();
    const looks = jest.spyOn(MemoryChannel.prototype, 'checkQueue');
    const [one, other] = [worker('none'), client('none')];
    await one.start();
    const ids = [await other.put({ type: 'a' }), await other.put({ type: 'b' }, { delayMs: 2_000 })];
    expect(looks).not.toHaveBeenCalled();
    await broker.advance(5_000);
    expect(one.seen).toEqual(ids);
    expect(declared()).toBe(0);
  });

  it('leaves what is missing to the broker to say', async () => {
    await expect(client('none').put({ type: 'a' })).rejects.toMatchObject({ code: 'PUBLISH_UNKNOWN' });
    await apply(false);
    const put = client('none').put({ type: 'a' }, { delayMs: 5_000 });
    await expect(put).rejects.toMatchObject({ code: 'PUBLISH_RETURNED' });
  });
});

describe('the delay levels', () => {
  const levels = () => [1_000, 86_400_000].map((levelMs) => delayQueueOf(queueName, levelMs));
  const exist = async (queue: string) => {
    const channel = await connections.consuming.openChannel();
    return channel.checkQueue(queue).then(
      () => true,
      () => false,
    );
  };
  const areThere = () => Promise.all(levels().map(exist));

  it('come with the first task that needs one, and what another process has put is moved on', async () => {
    const idle = worker('declare');
    await idle.start();
    await client('declare').put({ type: 'now' });
    expect(await areThere()).toEqual([false, false]);
    await client('declare').put({ type: 'later' }, { delayMs: 65_000 });
    expect(await areThere()).toEqual([true, true]);
    await broker.advance(64_000);
    expect(idle.seen).toHaveLength(1);
    await broker.advance(2_000);
    expect(idle.seen).toHaveLength(2);
  });

  it('come again for a put after one was deleted', async () => {
    const putting = client('declare');
    await putting.put({ type: 'a' }, { delayMs: 5_000 });
    await onChannel((channel) => channel.deleteQueue(delayQueueOf(queueName, 1_000)));
    await expect(putting.put({ type: 'b' }, { delayMs: 5_000 })).rejects.toMatchObject({ code: 'PUBLISH_RETURNED' });
    await putting.put({ type: 'c' }, { delayMs: 5_000 });
    expect(broker.messages(delayQueueOf(queueName, 1_000))).toHaveLength(1);
  });

  it('come for a task with a priority that is tried again', async () => {
    const failing = use(
      new (class extends Worker {
        handler(): void {
          throw new Error('no');
        }
      })({ connections, queueName, retryDelaysMs, maxAttempts: 2 }),
    );
    await failing.start();
    broker.send(queueName, '{"type":"a"}', { priority: 3, messageId: 'a' });
    await broker.untilIdle();
    expect(broker.messages(delayQueueOf(queueName, 1_000))).toMatchObject([{ id: 'a' }]);
    expect(failing.problem).toBeUndefined();
    expect(problems).toEqual(['TASK_RETRIED']);
  });
});
