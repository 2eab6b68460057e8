import { until } from '../../../../test/support/until';
import { DeadLetters } from '../dead-letters/dead-letters';
import { DiscardTask, PostponeTask, type MercuryError } from '../errors';
import { MemoryKeyStore } from '../key-stores/memory-key-store';
import { applyTopology } from '../tasks/apply-topology';
import { MemoryBroker } from '../testing';
import { MemoryChannel } from '../testing/memory-channel';
import type { MemoryConnections } from '../testing/memory-connections';
import type { Binding } from './bindings';
import type { DurableEvent, DurableSubscriptionOptions } from './durable-subscription';
import { EventBus } from './event-bus';
import type { BusKind } from './event-bus';

const ORDERS: readonly Binding[] = [{ key: 'order.*' }];

let broker: MemoryBroker;
let buses: EventBus[];
let publisher: EventBus;
let problems: MercuryError[];

beforeEach(() => {
  broker = new MemoryBroker();
  buses = [];
  problems = [];
  publisher = open();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(buses.map((bus) => bus.stop()));
});

/** A bus of a program of its own. */
function open(kind: BusKind = 'topic', name = 'shop', connections: MemoryConnections = broker.connect()): EventBus {
  const bus = new EventBus({ connections, name }, kind);
  bus.events.on('problem', (problem) => problems.push(problem));
  buses.push(bus);
  return bus;
}

/** A replica of the subscription "billing", and what it is given. */
async function billing(
  work: (event: DurableEvent) => unknown = () => undefined,
  options: Partial<DurableSubscriptionOptions> = {},
  bindings = ORDERS,
) {
  const heard: DurableEvent[] = [];
  const bus = open();
  const handler = (event: DurableEvent) => (heard.push(event), work(event));
  const subscription = bus.subscribe(bindings, handler, { durable: 'billing', retryDelaysMs: [1_000], ...options });
  await subscription.ready;
  return { heard, bus, subscription, events: () => heard.map(({ key, data }) => [key, data['n']]) };
}

async function publish(key: string, ...numbers: number[]): Promise<void> {
  for (const n of numbers) await publisher.publish(key, { n });
}

describe('a durable subscription', () => {
  it('keeps what is published while no replica runs, and gets all of it', async () => {
    const first = await billing();
    await first.subscription.close();
    await publish('order.paid', 1, 2, 3);
    await publish('customer.new', 4);
    expect(broker.messages('shop.billing')).toHaveLength(3);
    const second = await billing();
    await broker.untilIdle();
    expect([first.events(), second.events()]).toEqual([
      [],
      [
        ['order.paid', 1],
        ['order.paid', 2],
        ['order.paid', 3],
      ],
    ]);
  });

  it('shares the events among its replicas, and gives another subscription all of them as well', async () => {
    const replicas = await Promise.all([1, 2, 3].map(() => billing(undefined, { capacity: 1 })));
    const mails = await billing(undefined, { durable: 'mails' });
    const now: unknown[] = [];
    await open().subscribe(ORDERS, ({ data }) => now.push(data['n'])).ready;
    const numbers = Array.from({ length: 30 }, (_, index) => index);
    await publish('order.paid', ...numbers);
    await broker.untilIdle();
    const shared = replicas.flatMap(({ heard }) => heard.map(({ data }) => data['n']));
    expect(shared.sort((one, other) => Number(one) - Number(other))).toEqual(numbers);
    expect(replicas.every(({ heard }) => heard.length > 0)).toBe(true);
    expect(mails.heard).toHaveLength(30);
    expect(now).toEqual(numbers);
  });

  it('gives its handler the key, the data, the headers, and the event as a task of its own', async () => {
    const { heard } = await billing();
    await publisher.publish('order.paid', { n: 1, type: 'card' }, { headers: { shop: 7 } });
    await broker.untilIdle();
    expect(heard).toMatchObject([{ key: 'order.paid', data: { n: 1, type: 'card' }, headers: { shop: 7 } }]);
    expect(heard[0]?.task).toMatchObject({ type: 'order.paid', attempt: 1, queue: 'shop.billing' });
    expect(heard[0]?.task.signal.aborted).toBe(false);
  });

  it('says nothing of failures, and postpones no more, where its options say so', async () => {
    const later = () => Promise.reject(new PostponeTask(1_000));
    await billing(later, { maxAttempts: 1, postpone: { maxCount: 1 }, logs: false });
    await publish('order.paid', 1);
    await broker.advance(2_000);
    expect(broker.messages('shop.billing.dead')).toMatchObject([{ headers: { 'x-error-code': 'POSTPONED_TOO_LONG' } }]);
    expect(problems).toEqual([]);
  });

  it('tries again after a retry level, with the same key, id and headers, then buries it', async () => {
    const { heard } = await billing(() => Promise.reject(new Error('no ledger')), { maxAttempts: 2 });
    const mails = await billing(undefined, { durable: 'mails' });
    await publisher.publish('order.paid', { n: 1 }, { headers: { shop: 7 } });
    await broker.untilIdle();
    expect(broker.messages('shop.billing.retry.1000')).toHaveLength(1);
    await broker.advance(1_000);
    expect(heard.map(({ key, task }) => [key, task.attempt])).toEqual([
      ['order.paid', 1],
      ['order.paid', 2],
    ]);
    expect(heard[1]?.task.id).toBe(heard[0]?.task.id);
    expect(heard[1]?.headers).toMatchObject({ shop: 7 });
    expect(broker.messages('shop.billing.dead')).toMatchObject([
      {
        type: 'order.paid',
        body: { n: 1 },
        headers: { 'x-event-key': 'order.paid', 'x-error-code': 'HANDLER_FAILED' },
      },
    ]);
    expect(mails.heard).toHaveLength(1);
    expect(broker.messages('shop.mails.dead')).toEqual([]);
  });

  it("binds under topology 'check' as well, or says who may when its user may not", async () => {
    await applyTopology(
      { connections: broker.connect() },
      {
        buses: [{ name: 'shop', kind: 'topic' }],
        subscriptions: ['billing', 'mails'].map((durable) => ({ bus: 'shop', durable, keys: ['order.*'] })),
      },
    );
    const channels = jest.spyOn(MemoryChannel.prototype, 'bindQueue');
    const checked = new EventBus({ connections: broker.connect(), name: 'shop', topology: 'check' }, 'topic');
    buses.push(checked);
    const told: string[] = [];
    checked.events.on('problem', ({ code, message }) => told.push(`${code} ${message}`));
    await checked.subscribe(ORDERS, () => undefined, { durable: 'billing' }).ready;
    expect(channels).toHaveBeenCalledWith('shop.billing', 'shop', 'order.*', undefined);
    channels.mockRejectedValueOnce(Object.assign(new Error('ACCESS_REFUSED'), { code: 403 }));
    await checked.subscribe(ORDERS, () => undefined, { durable: 'mails' }).ready;
    expect(told).toEqual([expect.stringContaining("mercury topology apply --subscription 'shop:mails:order.*'")]);
  });

  it('has dead letters that are read and replayed by the name of its queue, with their key', async () => {
    let isMended = false;
    const { heard } = await billing(() => {
      if (!isMended) throw new DiscardTask('no', { code: 'NO_LEDGER' });
    });
    await publish('order.paid', 1);
    await broker.untilIdle();
    isMended = true;
    await using letters = new DeadLetters({ connections: broker.connect(), queueName: 'shop.billing' });
    expect((await letters.list({ type: 'order.paid', code: 'NO_LEDGER' })).letters).toHaveLength(1);
    for await (const _ of letters.replay({}));
    await broker.untilIdle();
    expect(heard.map(({ key }) => key)).toEqual(['order.paid', 'order.paid']);
    expect(broker.messages('shop.billing.dead')).toEqual([]);
  });

  it('keeps the key of an event that the broker itself has buried, also through its replay', async () => {
    const { subscription } = await billing();
    await subscription.close();
    await publish('order.paid', 1);
    const channel = await broker.connect().consuming.openChannel();
    const message = await channel.get('shop.billing');
    if (message) channel.nack(message, false, false);
    await until('it is dead', () => broker.messages('shop.billing.dead').length === 1);
    await using letters = new DeadLetters({ connections: broker.connect(), queueName: 'shop.billing' });
    for await (const _ of letters.replay({}));
    const { events } = await billing();
    await broker.untilIdle();
    expect(events()).toEqual([['order.paid', 1]]);
  });

  it.each([
    ['no JSON', 'INVALID_JSON'],
    ['[1]', 'NOT_AN_OBJECT'],
  ])('buries what is no event, in its own dead queue and at once: %s', async (body, code) => {
    const { heard, events } = await billing();
    const channel = await broker.connect().publishing.openChannel();
    channel.publish('shop', 'order.paid', Buffer.from(body));
    await publish('order.paid', 1);
    await broker.untilIdle();
    expect(heard).toHaveLength(1);
    expect(events()).toEqual([['order.paid', 1]]);
    expect(broker.messages('shop.billing.dead')).toMatchObject([{ headers: { 'x-error-code': code } }]);
  });

  it('lets no header that an event brings speak for its past: a passed-on event begins anew', async () => {
    const { heard } = await billing(undefined, { maxAttempts: 2 });
    const headers = { 'x-attempt': 9, 'x-event-key': 'order.other', 'x-replays': 3, shop: 7 };
    await publisher.publish('order.paid', { n: 1 }, { headers });
    await broker.untilIdle();
    expect(heard).toMatchObject([{ key: 'order.paid', task: { attempt: 1 }, headers: { shop: 7 } }]);
    expect(heard[0]?.headers).not.toHaveProperty('x-replays');
  });

  it('works on a bus without keys, and by headers', async () => {
    const bus = open('headers', 'alerts');
    const heard: DurableEvent[] = [];
    const bindings = [{ headers: { 'x-match': 'all', level: 'high' } }];
    await bus.subscribe(bindings, (event) => heard.push(event), { durable: 'pager' }).ready;
    await bus.publish('', { n: 1 }, { headers: { level: 'high' } });
    await bus.publish('', { n: 2 }, { headers: { level: 'low' } });
    await broker.untilIdle();
    expect(heard).toMatchObject([{ key: '', data: { n: 1 }, task: { type: 'alerts', queue: 'alerts.pager' } }]);
  });

  it('does not run again what has succeeded, with a key store', async () => {
    const { heard } = await billing(undefined, { keyStore: new MemoryKeyStore() });
    const channel = await broker.connect().publishing.openChannel();
    for (let time = 0; time < 2; time++) {
      channel.publish('shop', 'order.paid', Buffer.from('{}'), { messageId: 'one' });
      await broker.untilIdle();
    }
    expect(heard).toHaveLength(1);
  });

  it('runs at most its capacity at once, and ends what runs when it is closed', async () => {
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const { heard, subscription } = await billing(() => opened, { capacity: 2 });
    await publish('order.paid', 1, 2, 3);
    await until('two run', () => heard.length === 2);
    let isClosed = false;
    const closing = subscription.close().then(() => (isClosed = true));
    await new Promise(setImmediate);
    expect(isClosed).toBe(false);
    open();
    await closing;
    expect(heard).toHaveLength(2);
    expect(broker.messages('shop.billing')).toHaveLength(1);
  });

  it('misses nothing over a lost connection, and what was in hand comes again with its id', async () => {
    const connections = broker.connect();
    const heard: DurableEvent[] = [];
    const handler = (event: DurableEvent) => (heard.push(event), heard.length === 1 ? connections.cut() : undefined);
    await open('topic', 'shop', connections).subscribe(ORDERS, handler, { durable: 'billing' }).ready;
    await publish('order.paid', 1);
    await broker.untilIdle();
    await publish('order.paid', 2);
    await broker.untilIdle();
    expect(heard.map(({ key, data }) => [key, data['n']])).toEqual([
      ['order.paid', 1],
      ['order.paid', 1],
      ['order.paid', 2],
    ]);
    expect(heard[0]?.task.id).toBe(heard[1]?.task.id);
  });

  it('is bound again when the bus was deleted and declared again', async () => {
    jest.useFakeTimers({
      doNotFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'nextTick', 'queueMicrotask', 'performance'],
    });
    try {
      const { events, subscription } = await billing();
      const channel = await broker.connect().consuming.openChannel();
      await channel.deleteExchange('shop');
      jest.advanceTimersByTime(10_000);
      await broker.untilIdle();
      await publish('order.paid', 1);
      await broker.untilIdle();
      expect(events()).toEqual([['order.paid', 1]]);
      expect(subscription.problem).toBeUndefined();
    } finally {
      jest.useRealTimers();
    }
  });

  it('tells what becomes of its events, and its problems to the bus, too', async () => {
    const { subscription } = await billing(() => Promise.reject(new DiscardTask('no')));
    const settled: unknown[] = [];
    subscription.events.on('settled', ({ type, outcome }) => settled.push([type, outcome.kind]));
    await publish('order.paid', 1);
    await broker.untilIdle();
    expect(settled).toEqual([['order.paid', 'dead']]);
    expect(subscription.problem).toBeUndefined();
    await subscription.close();
    expect(subscription.problem).toBeDefined();
  });

  it('is ready or says why not: the bus has another type', async () => {
    const channel = await broker.connect().consuming.openChannel();
    await channel.assertExchange('shop', 'fanout', { durable: true });
    await expect(billing()).rejects.toMatchObject({ code: 'BROKER_TOPOLOGY_MISMATCH' });
    expect(problems.map(({ code }) => code)).toContain('BROKER_TOPOLOGY_MISMATCH');
  });

  it('loses bindings that an older version had only where they are named', async () => {
    const old = await billing(undefined, {}, [{ key: 'order.*' }, { key: 'customer.*' }]);
    await old.subscription.close();
    const same = await billing();
    await publish('customer.new', 1);
    await broker.untilIdle();
    expect(same.events()).toEqual([['customer.new', 1]]);
    await same.subscription.close();
    const without = await billing(undefined, { unbind: [{ key: 'customer.*' }] });
    await publish('customer.new', 2);
    await publish('order.paid', 3);
    await broker.untilIdle();
    expect(without.events()).toEqual([['order.paid', 3]]);
  });

  it('refuses what cannot be', () => {
    const bus = open();
    const subscribe = (bindings: readonly Binding[], options: DurableSubscriptionOptions) => () =>
      bus.subscribe(bindings, () => undefined, options);
    expect(subscribe(ORDERS, { durable: '' })).toThrow('durable must be a name');
    expect(subscribe(ORDERS, { durable: 'a.b' })).toThrow('no dot');
    expect(subscribe(ORDERS, { durable: 'dead' })).toThrow('".dead"');
    expect(subscribe(ORDERS, { durable: 'x'.repeat(200) })).toThrow('200 bytes');
    expect(subscribe(ORDERS, { durable: 'billing', capacity: 0 })).toThrow('capacity');
    expect(subscribe(ORDERS, { durable: 'billing', unbind: ORDERS })).toThrow('unbind');
    expect(subscribe([{ key: 'x'.repeat(256) }], { durable: 'billing' })).toThrow('255 bytes');
    const direct = open('direct', 'logs');
    expect(() => direct.subscribe(ORDERS, () => undefined, { durable: 'billing' })).toThrow('"order.*" is a pattern');
  });

  it('has one set of bindings in a program: another is an error that says so', async () => {
    const { bus, subscription } = await billing();
    const again = (bindings: readonly Binding[]) => () =>
      bus.subscribe(bindings, () => undefined, { durable: 'billing', retryDelaysMs: [1_000] });
    expect(again([{ key: 'customer.*' }])).toThrow('"billing" is subscribed to with other bindings');
    const second = again([{ key: 'order.*' }])();
    await second.ready;
    await second.close();
    await subscription.close();
    expect(again([{ key: 'customer.*' }])).not.toThrow();
  });
});

describe('a subscription that is given up', () => {
  const queues = () => {
    const { virtualHost } = broker as unknown as { virtualHost: { queues: Map<string, unknown> } };
    return [...virtualHost.queues.keys()].filter((name) => name.startsWith('shop.'));
  };

  it('is removed with one call, with all of its queues and no other', async () => {
    const { subscription } = await billing();
    const mails = await billing(undefined, { durable: 'mails' });
    await subscription.close();
    const before = queues();
    const removed = await publisher.removeSubscription('billing', { retryDelaysMs: [1_000] });
    expect(removed).toEqual({ wasThere: true, events: 0, deadLetters: 0 });
    expect(queues()).toEqual(before.filter((name) => name.startsWith('shop.mails')));
    await publish('order.paid', 1);
    await broker.untilIdle();
    expect(mails.heard).toHaveLength(1);
    expect(await publisher.removeSubscription('billing')).toEqual({ wasThere: false, events: 0, deadLetters: 0 });
  });

  it('is not looked for by retry levels that cannot be', async () => {
    const removal = publisher.removeSubscription('billing', { retryDelaysMs: [1_000, 0.5] });
    await expect(removal).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('is not removed while there is something in it, unless that is to be discarded', async () => {
    const { subscription } = await billing(() => Promise.reject(new DiscardTask('no')));
    await publish('order.paid', 1);
    await broker.untilIdle();
    await subscription.close();
    await publish('order.paid', 2, 3);
    const before = queues();
    await expect(publisher.removeSubscription('billing')).rejects.toMatchObject({
      code: 'SUBSCRIPTION_NOT_EMPTY',
      message: expect.stringContaining('2 events and 1 dead letter') as string,
    });
    expect(queues()).toEqual(before);
    expect(await publisher.removeSubscription('billing', { discard: true, retryDelaysMs: [1_000] })).toEqual({
      wasThere: true,
      events: 2,
      deadLetters: 1,
    });
    expect(queues()).toEqual([]);
  });

  it('is not removed while a replica runs, which would only declare it again', async () => {
    await billing();
    const before = queues();
    await expect(publisher.removeSubscription('billing', { discard: true })).rejects.toMatchObject({
      code: 'SUBSCRIPTION_IN_USE',
    });
    expect(queues()).toEqual(before);
  });
});

it('a publisher is told when a subscription could not take an event, and with `mandatory` the publish fails', async () => {
  const channel = await broker.connect().consuming.openChannel();
  await publish('order.paid', 0);
  const args = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-max-length': 1 };
  await channel.assertQueue('full', { durable: true, arguments: args });
  await channel.bindQueue('full', 'shop', 'order.*');
  await publish('order.paid', 1, 2, 3, 4);
  expect(problems.map(({ code }) => code)).toEqual(['EVENT_REFUSED']);
  await expect(publisher.publish('order.paid', {}, { mandatory: true })).rejects.toMatchObject({
    code: 'PUBLISH_NACKED',
  });
});
