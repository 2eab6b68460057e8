import type { ConfirmChannel } from 'amqplib';
import { gate, until } from '../../../../test/support/until';
import type { MercuryError } from '../errors';
import type { JsonObject } from '../tasks/task';
import { MemoryBroker } from '../testing';
import type { Queue } from '../testing/broker/queue';
import { MemoryChannel } from '../testing/memory-channel';
import type { MemoryConnections } from '../testing/memory-connections';
import { EventBus } from './event-bus';

let broker: MemoryBroker;
let connections: MemoryConnections;
let bus: EventBus;
let problems: MercuryError[];

beforeEach(() => {
  broker = new MemoryBroker();
  connections = broker.connect();
  bus = new EventBus({ connections, name: 'shop' });
  problems = [];
  bus.events.on('problem', (problem) => problems.push(problem));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await bus.stop();
});

/** What a subscriber to one key hears; with `onEvent` it may refuse. */
async function heardOf(key: string, onEvent: (data: JsonObject) => unknown = () => undefined): Promise<JsonObject[]> {
  const heard: JsonObject[] = [];
  const subscription = bus.subscribe([{ key }], ({ data }) => {
    heard.push(data);
    return onEvent(data);
  });
  await subscription.ready;
  return heard;
}

/** All that are there: of its subscribers, as this bus is alone. */
function queues(): Queue[] {
  const { virtualHost } = broker as unknown as { virtualHost: { queues: Map<string, Queue> } };
  return [...virtualHost.queues.values()];
}

/** The channel that the next subscriber opens. */
async function channelOfSubscriber(): Promise<ConfirmChannel> {
  const openChannel = connections.consuming.openChannel.bind(connections.consuming);
  return new Promise((resolve) => {
    jest.spyOn(connections.consuming, 'openChannel').mockImplementationOnce(async () => {
      const channel = await openChannel();
      resolve(channel);
      return channel;
    });
  });
}

/** As a broker closes it for a fault. Resolves once the subscriber has another one. */
async function loseChannel(channel: ConfirmChannel): Promise<void> {
  channel.publish('nowhere', '', Buffer.from('{}'));
  await until('it has noticed', () => problems.some(({ code }) => code === 'BROKER_CHANNEL_LOST'));
  await until('it is back', () => bus.problem === undefined);
}

describe('a subscriber', () => {
  it('hears what is published under its keys, in order, each event once', async () => {
    const heard: unknown[] = [];
    await bus.subscribe([{ key: 'info' }, { key: 'critical' }], ({ key, data }) => heard.push([key, data])).ready;
    for (const key of ['info', 'other', 'critical']) await bus.publish(key, { key });
    await broker.untilIdle();
    expect(heard).toEqual([
      ['info', { key: 'info' }],
      ['critical', { key: 'critical' }],
    ]);
  });

  it('goes on after events that its handler refuses, and after bodies that are none, however many there are', async () => {
    const heard = await heardOf('info', ({ isBad }) => {
      if (isBad) throw new Error('no');
    });
    const channel = await connections.publishing.openChannel();
    for (let number = 0; number < 150; number++) {
      await bus.publish('info', { isBad: true });
      channel.publish('shop', 'info', Buffer.from('no JSON'));
    }
    await bus.publish('info', { isBad: false });
    await broker.untilIdle();
    expect(heard.filter(({ isBad }) => !isBad)).toHaveLength(1);
    expect(problems.filter(({ code }) => code === 'EVENT_SKIPPED')).toHaveLength(300);
  });

  it('takes one event after the other: the next begins when its handler has ended', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const heard = await heardOf('info', () => gate);
    await bus.publish('info', { n: 1 });
    await bus.publish('info', { n: 2 });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    expect(heard).toEqual([{ n: 1 }]);
    open();
    await broker.untilIdle();
    expect(heard).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('hears nothing once it is closed, also not what had arrived by then', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const heard: unknown[] = [];
    const subscription = bus.subscribe([{ key: 'info' }], ({ data }) => (heard.push(data), gate));
    await subscription.ready;
    for (let number = 1; number <= 5; number++) await bus.publish('info', { number });
    const closing = subscription.close();
    open();
    await closing;
    await bus.publish('info', { number: 6 });
    expect(heard.length).toBeLessThanOrEqual(1);
  });

  it('comes back after a lost connection, and says how many events it has missed', async () => {
    const other = broker.connect();
    const publisher = new EventBus({ connections: other, name: 'shop' });
    const heard = await heardOf('info');
    await publisher.publish('info', { n: 1 });
    await broker.untilIdle();
    connections.cut();
    await publisher.publish('info', { n: 2 });
    await broker.untilIdle();
    await publisher.publish('info', { n: 3 });
    await broker.untilIdle();
    expect(heard).toEqual([{ n: 1 }, { n: 3 }]);
    expect(problems.map(({ code }) => code)).toContain('EVENTS_MISSED');
    await publisher.stop();
  });

  it('misses nothing when only its channel is lost: what waits comes on the next one, and what was in hand once more', async () => {
    const { opened, open } = gate();
    const channel = channelOfSubscriber();
    const heard = await heardOf('info', () => opened);
    for (let number = 1; number <= 50; number++) await bus.publish('info', { number });
    await until('the first came', () => heard.length === 1);
    await loseChannel(await channel);
    for (let number = 51; number <= 60; number++) await bus.publish('info', { number });
    open();
    await until('all came', () => heard.length === 61);
    expect(heard.map(({ number }) => number)).toEqual([1, ...Array.from({ length: 60 }, (_, index) => index + 1)]);
    expect(problems.map(({ code }) => code)).not.toContain('EVENTS_MISSED');
  });

  it('never handles two events at once, also not while the channel of the first is replaced', async () => {
    const { opened, open } = gate();
    const channel = channelOfSubscriber();
    let running = 0;
    let most = 0;
    const heard = await heardOf('info', async () => {
      most = Math.max(most, (running += 1));
      await opened;
      running -= 1;
    });
    await bus.publish('info', { number: 1 });
    await until('it came', () => running === 1);
    await loseChannel(await channel);
    await until('it is there again', () => queues()[0]?.inHand.length === 1);
    open();
    await until('it came again', () => heard.length === 2);
    expect(most).toBe(1);
  });

  it('leaves no timer of the channels that it has lost', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    await heardOf('info');
    const before = timers();
    for (let round = 0; round < 3; round++) {
      problems.length = 0;
      connections.cut();
      await until('it has noticed', () => problems.length > 0);
      await until('it is back', () => queues()[0]?.consumerCount === 1);
    }
    expect(timers()).toBe(before);
  });

  it('holds at most 20 events while its handler takes none', async () => {
    const { opened, open } = gate();
    await heardOf('info', () => opened);
    for (let number = 1; number <= 50; number++) await bus.publish('info', { number });
    await until('all are there', () => queues()[0]?.readyCount === 30);
    expect(queues()[0]?.inHand.length).toBe(20);
    open();
  });

  it('has a queue that is bounded in events and bytes, and drops the oldest', async () => {
    const { opened, open } = gate();
    const heard = await heardOf('info', () => opened);
    const filler = 'x'.repeat(1_000_000);
    for (let number = 0; number < 160; number++) await bus.publish('info', { number, filler });
    await until('all came', () => queues()[0]?.inHand.length === 20);
    expect(queues()[0]?.readyCount).toBe(134);
    open();
    await until('what was kept was heard', () => heard.length === 154);
    expect(heard.at(-1)?.['number']).toBe(159);
    expect(problems.filter(({ code }) => code === 'EVENTS_MISSED')).toHaveLength(1);
  });

  it('leaves no queue behind when it is closed, on a connection that lives on', async () => {
    for (let round = 0; round < 100; round++) {
      const subscription = bus.subscribe([{ key: 'info' }], () => undefined);
      await subscription.ready;
      await subscription.close();
    }
    expect(queues()).toEqual([]);
  });

  it('declares one queue however often it has to try', async () => {
    const bindQueue = jest.spyOn(MemoryChannel.prototype, 'bindQueue');
    bindQueue.mockRejectedValueOnce(new Error('no')).mockRejectedValueOnce(new Error('no'));
    const heard = await heardOf('info');
    expect(queues()).toHaveLength(1);
    await bus.publish('info', { number: 1 });
    await until('it came', () => heard.length === 1);
  });

  it('declares another one when somebody has deleted it', async () => {
    const heard = await heardOf('info');
    const channel = await connections.consuming.openChannel();
    await channel.deleteQueue(queues()[0]!.name);
    await until('it has noticed', () => problems.length > 0);
    await until('it is back', () => queues()[0]?.consumerCount === 1);
    await bus.publish('info', { number: 1 });
    await until('it came', () => heard.length === 1);
  });

  it('leaves nothing behind: neither on the connection nor on the bus', async () => {
    const listeners = () =>
      ['up', 'down', 'failed', 'blocked', 'unblocked'].map((name) => {
        const { emitter } = connections.consuming.events as unknown as { emitter: NodeJS.EventEmitter };
        return emitter.listenerCount(name);
      });
    await heardOf('info');
    const before = listeners();
    for (let round = 0; round < 100; round++) {
      const subscription = bus.subscribe([{ key: 'info' }], () => undefined);
      await subscription.ready;
      await subscription.close();
    }
    expect(listeners()).toEqual(before);
    expect((bus as unknown as { subscriptions: Set<unknown> }).subscriptions.size).toBe(1);
  });
});

it('on a headers bus its own numbers take no part in the routing', async () => {
  const other = new EventBus({ connections, name: 'alerts' }, 'headers');
  const heard: unknown[] = [];
  await other.subscribe([{ headers: { 'x-match': 'all', level: 'high' } }], ({ headers }) => heard.push(headers)).ready;
  await other.publish('', {}, { headers: { level: 'high' } });
  await other.publish('', {}, { headers: { level: 'low' } });
  await broker.untilIdle();
  expect(heard).toEqual([{ level: 'high' }]);
  await other.stop();
});

it('publishing has one channel, also after many events: that on which its exchange was declared is closed', async () => {
  for (let number = 0; number < 20; number++) await bus.publish('info', { number });
  const { link } = connections.publishing as unknown as { link: { channels: Set<unknown> } };
  expect(link.channels.size).toBe(1);
});

it('events that cannot be are refused before anything is sent', async () => {
  await expect(bus.publish('x'.repeat(256), {})).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  await expect(bus.publish('info', {}, { headers: { CC: 'other' } })).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  await expect(bus.publish('info', { big: 'x'.repeat(2_000_000) })).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
  await bus.stop();
  expect(() => bus.subscribe([{ key: 'info' }], () => undefined)).toThrow('stopped');
});
