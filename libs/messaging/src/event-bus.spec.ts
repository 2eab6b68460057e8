import { EventBus } from './event-bus';
import type { MercuryError } from './errors';
import type { JsonObject } from './task';
import { MemoryBroker } from './testing';
import type { MemoryConnections } from './testing/memory-connections';

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
afterEach(() => bus.stop());

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

it('events that cannot be are refused before anything is sent', async () => {
  await expect(bus.publish('x'.repeat(256), {})).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  await expect(bus.publish('info', {}, { headers: { CC: 'other' } })).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  await expect(bus.publish('info', { big: 'x'.repeat(2_000_000) })).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
  await bus.stop();
  expect(() => bus.subscribe([{ key: 'info' }], () => undefined)).toThrow('stopped');
});
