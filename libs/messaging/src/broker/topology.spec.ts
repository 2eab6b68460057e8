import { EventEmitter } from 'node:events';
import type { Options } from 'amqplib';
import { FakeLink } from '../../../../test/support/fake-link';
import type { BrokerError } from '../errors';
import { MOST_LEVELS } from '../tasks/options';
import { LEAST_CHANNELS } from './broker-url';
import { Connection } from './connection';
import type { TopologyMode } from './options';
import {
  deadQueueOf,
  declareTaskTopology,
  delayQueueArguments,
  delayQueueOf,
  dueQueueOf,
  retryQueueArguments,
  retryQueueOf,
  waitingQueueOf,
} from './topology';

interface Queue {
  durable: boolean;
  arguments: Record<string, string | number | boolean>;
}

/** Declares as RabbitMQ does: the refusal names the first argument that differs, and closes the channel. */
class FakeBroker {
  readonly exchanges = new Map<string, unknown>();
  readonly queues = new Map<string, Queue>();
  readonly bindings: string[] = [];
  openChannels = 0;
  openedChannels = 0;
  /** So often each exchange was declared. */
  readonly exchangesDeclared: string[] = [];
  mostOpenChannels = 0;
  /** So often each was declared, and whether ever twice at once. */
  readonly declared = new Map<string, number>();
  readonly declaring = new Set<string>();
  readonly declaredTwiceAtOnce: string[] = [];

  readonly createConfirmChannel = async () => {
    this.openChannels += 1;
    this.openedChannels += 1;
    this.mostOpenChannels = Math.max(this.mostOpenChannels, this.openChannels);
    let open = true;
    const channel = Object.assign(new EventEmitter(), {
      assertExchange: async (name: string, type: string, options: Options.AssertExchange) => {
        this.exchangesDeclared.push(name);
        this.exchanges.set(name, { type, ...options });
      },
      assertQueue: async (name: string, options: Options.AssertQueue) => {
        if (!open) throw new Error('Channel closed');
        this.declared.set(name, (this.declared.get(name) ?? 0) + 1);
        if (this.declaring.has(name)) this.declaredTwiceAtOnce.push(name);
        this.declaring.add(name);
        await new Promise((resolve) => setImmediate(resolve));
        this.declaring.delete(name);
        const wanted = { durable: options.durable ?? true, arguments: options.arguments as Queue['arguments'] };
        const refusal = difference(name, this.queues.get(name) ?? wanted, wanted);
        if (refusal === undefined) return void this.queues.set(name, this.queues.get(name) ?? wanted);
        await channel.close();
        const text = `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "${refusal}"`;
        throw Object.assign(new Error(text), { code: 406 });
      },
      bindQueue: async (queue: string, exchange: string, key: string) => {
        if (!this.queues.has(queue) || !this.exchanges.has(exchange)) throw new Error('404 (NOT-FOUND)');
        this.bindings.push(`${exchange} --${key}--> ${queue}`);
      },
      close: async () => {
        open = false;
        this.openChannels -= 1;
      },
    });
    return channel;
  };
}

function difference(name: string, has: Queue, wanted: Queue): string | undefined {
  const refusal = (key: string, text: string) =>
    `PRECONDITION_FAILED - inequivalent arg '${key}' for queue '${name}' in vhost '/': received ${text}`;
  if (has.durable !== wanted.durable) return refusal('durable', `'${wanted.durable}' but current is '${has.durable}'`);
  const show = (value: string | number | boolean | undefined) => {
    if (value === undefined) return 'none';
    return `the value '${value}' of type '${typeof value === 'string' ? 'longstr' : 'signedint'}'`;
  };
  const keys = [...new Set([...Object.keys(has.arguments), ...Object.keys(wanted.arguments)])].sort();
  const key = keys.find((each) => has.arguments[each] !== wanted.arguments[each]);
  if (key === undefined) return undefined;
  return refusal(key, `${show(wanted.arguments[key])} but current is ${show(has.arguments[key])}`);
}

let broker: FakeBroker;
let told: BrokerError[];

beforeEach(() => {
  broker = new FakeBroker();
  told = [];
});

function connect(): Connection {
  const link = new FakeLink();
  link.connect(broker);
  return new Connection(link, 'one broker');
}

const use = (mode: TopologyMode = 'declare') => ({
  mode,
  onMismatch: (problem: BrokerError) => void told.push(problem),
});

function declare(retryDelaysMs = [1_000, 60_000], connection = connect(), withDelays = true): Promise<void> {
  return declareTaskTopology(connection, 'reports', retryDelaysMs, use(), withDelays);
}

const bounded = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-max-length': 1_000_000 };
const keeping = { ...bounded, 'x-delivery-limit': 1_000_000 };
const work = {
  ...bounded,
  'x-delivery-limit': 20,
  'x-dead-letter-exchange': 'mercury.dead',
  'x-dead-letter-routing-key': 'reports',
  'x-dead-letter-strategy': 'at-least-once',
};

describe('declareTaskTopology', () => {
  it('declares durable exchanges; only where levels return to has an alternate', async () => {
    await declare();
    expect(Object.fromEntries(broker.exchanges)).toEqual({
      'mercury.tasks': { type: 'direct', durable: true },
      'mercury.back': { type: 'direct', durable: true, alternateExchange: 'mercury.unrouted' },
      'mercury.dead': { type: 'direct', durable: true },
      'mercury.unrouted': { type: 'fanout', durable: true },
    });
  });

  it('declares each queue once for all that start together, also on connections of their own', async () => {
    await Promise.all([declare(), declare(), declare()]);
    expect([...broker.declared.values()]).toEqual([...broker.declared.keys()].map(() => 1));
    // And again for who comes later: it may be gone.
    await declare();
    expect(broker.declared.get('reports')).toBe(2);
  });

  it('declares what all queues share once for thirty of them, and needs five channels for each', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `queue-${index}`);
    const delaysMs = [1_000, 10_000, 60_000, 600_000, 3_600_000];
    const [publishing, consuming] = [connect(), connect()];
    const both = names.flatMap((name) =>
      [publishing, consuming].map((connection) => declareTaskTopology(connection, name, delaysMs, use())),
    );
    await Promise.all(both);
    expect([...broker.declared.values()]).toEqual(Array<number>(30 * 9 + 1).fill(1));
    expect(broker.exchangesDeclared).toHaveLength(4);
    expect(broker.openedChannels).toBeLessThanOrEqual(30 * 5 + 3);
    expect(broker.openChannels).toBe(0);
  });

  it('declares one queue never twice at once, also for those that have not all queues in common', async () => {
    const other = declareTaskTopology(connect(), 'mails', [1_000], use());
    await Promise.all([declare(), declare([1_000]), declare([1_000, 5_000]), other]);
    expect(broker.declaredTwiceAtOnce).toEqual([]);
    expect([broker.declared.get('reports'), broker.declared.get('mercury.unrouted')]).toEqual([1, 1]);
  });

  it('leaves 16 of the fewest channels that a URL may allow to others, also with the most levels', async () => {
    await Promise.all([declare(Array.from({ length: MOST_LEVELS }, (_, index) => index + 1)), declare(), declare()]);
    expect(broker.mostOpenChannels).toBeLessThanOrEqual(LEAST_CHANNELS - 16);
  });

  it('declares durable quorum queues, with the same arguments as ever', async () => {
    await declare();
    const level = (levelMs: number) => ({
      durable: true,
      arguments: { ...work, 'x-dead-letter-exchange': 'mercury.back', 'x-message-ttl': levelMs },
    });
    const delayLevel = (levelMs: number) => {
      const { arguments: args } = level(levelMs);
      return { durable: true, arguments: { ...args, 'x-dead-letter-routing-key': 'reports.due' } };
    };
    expect(Object.fromEntries(broker.queues)).toEqual({
      reports: { durable: true, arguments: work },
      'reports.dead': { durable: true, arguments: keeping },
      'reports.suspect': { durable: true, arguments: work },
      'reports.retry.1000': level(1_000),
      'reports.retry.60000': level(60_000),
      'reports.due': { durable: true, arguments: keeping },
      'reports.delay.1000': delayLevel(1_000),
      'reports.delay.10000': delayLevel(10_000),
      'reports.delay.60000': delayLevel(60_000),
      'reports.delay.600000': delayLevel(600_000),
      'reports.delay.3600000': delayLevel(3_600_000),
      'reports.delay.21600000': delayLevel(21_600_000),
      'reports.delay.86400000': delayLevel(86_400_000),
      'mercury.unrouted': { durable: true, arguments: keeping },
    });
  });

  it('binds the work queue to the tasks last, when everything that a task may need exists', async () => {
    await declare();
    expect(broker.bindings).toEqual([
      'mercury.unrouted ----> mercury.unrouted',
      'mercury.dead --reports--> reports.dead',
      'mercury.back --reports.due--> reports.due',
      'mercury.back --reports--> reports',
      'mercury.tasks --reports--> reports',
    ]);
  });

  it('may be repeated, and leaves no channel open', async () => {
    await declare();
    await declare();
    expect(told).toEqual([]);
    expect(broker.openChannels).toBe(0);
  });

  it.each([
    ['other values', { ...work, 'x-max-length': 5, 'x-overflow': 'drop-head' }],
    ['fewer arguments', { 'x-queue-type': 'quorum' }],
    ['more arguments', { ...work, 'x-max-length-bytes': 1_000, 'x-single-active-consumer': 1 }],
  ])('uses a durable quorum queue with %s as it is, and tells of it', async (_what, args) => {
    broker.queues.set('reports', { durable: true, arguments: args });
    await declare();
    expect(told).toMatchObject([{ code: 'BROKER_TOPOLOGY_MISMATCH' }]);
    expect(told[0]?.message).toMatch(/^Queue "reports" exists .*: PRECONDITION_FAILED - inequivalent arg 'x-/);
    expect(broker.queues.get('reports')?.arguments).toBe(args);
    expect(broker.bindings).toHaveLength(5);
  });

  it.each([
    ['a classic queue', 'reports', { durable: true, arguments: {} }],
    ['a classic queue that says so', 'reports', { durable: true, arguments: { 'x-queue-type': 'classic' } }],
    ['a queue that a restart deletes', 'reports', { durable: false, arguments: work }],
    ['a classic dead queue', 'reports.dead', { durable: true, arguments: {} }],
    ['a classic retry level', 'reports.retry.60000', { durable: true, arguments: {} }],
    [
      'a level that gives nothing back',
      'reports.retry.60000',
      { durable: true, arguments: { ...work, 'x-message-ttl': 60_000 } },
    ],
    [
      'a delay level that gives its tasks to the work queue',
      'reports.delay.1000',
      { durable: true, arguments: { ...work, 'x-dead-letter-exchange': 'mercury.back', 'x-message-ttl': 1_000 } },
    ],
    [
      'a retry level of another time',
      'reports.retry.60000',
      { durable: true, arguments: retryQueueArguments('reports', 30_000) },
    ],
    [
      'a delay level of another time',
      'reports.delay.1000',
      { durable: true, arguments: delayQueueArguments('reports', 2_000) },
    ],
    [
      'a dead queue that drops',
      'reports.dead',
      { durable: true, arguments: { ...keeping, 'x-overflow': 'drop-head' } },
    ],
  ])('refuses %s: it cannot keep the promise', async (_what, name, queue) => {
    broker.queues.set(name, queue);
    await expect(declare()).rejects.toMatchObject({
      code: 'BROKER_TOPOLOGY_MISMATCH',
      message: expect.stringContaining(`Queue "${name}" exists`) as string,
    });
    expect(told).toEqual([]);
    // Without delays it can be worked with, until a task needs one.
    const isLevel = name.includes('delay');
    expect(broker.bindings.includes('mercury.tasks --reports--> reports')).toBe(isLevel);
    const others = declare(undefined, undefined, false);
    await (isLevel ? others : expect(others).rejects.toHaveProperty('code', 'BROKER_TOPOLOGY_MISMATCH'));
  });
});

it('names the queues that belong to a work queue', () => {
  expect([deadQueueOf('reports'), retryQueueOf('reports', 60_000)]).toEqual(['reports.dead', 'reports.retry.60000']);
  expect([dueQueueOf('reports'), delayQueueOf('reports', 1_000)]).toEqual(['reports.due', 'reports.delay.1000']);
});

it.each([
  [0, 'reports.due'],
  [999, 'reports.due'],
  [1_000, 'reports.delay.1000'],
  [86_400_000 * 30, 'reports.delay.86400000'],
])('names where a task waits that has %d ms left', (remainingMs, expected) => {
  expect(waitingQueueOf('reports', remainingMs)).toBe(expected);
});
