import {
  DELAY_LEVELS_MS,
  DiscardTask,
  EventBus,
  deadQueueOf,
  delayQueueOf,
  dueQueueOf,
  durableQueueOf,
  retryQueueOf,
  suspectQueueOf,
  type Binding,
  type BusKind,
  type DurableEvent,
} from '@mercury/messaging';
import type { Stage } from './stage';
import { LEVELS_MS } from './task-stage';

/** Durable subscriptions, as their users see them. */
export function describeDurableEvents(stage: Stage): void {
  let name: string;
  let buses: EventBus[];

  beforeEach(() => {
    name = stage.exchangeName();
    buses = [];
  });

  afterEach(() => Promise.all(buses.map((bus) => bus.stop())));

  async function open(kind: BusKind = 'topic'): Promise<EventBus> {
    const bus = new EventBus({ connections: (await stage.program()).connections, name }, kind);
    bus.events.on('problem', () => undefined);
    buses.push(bus);
    return bus;
  }

  /** A replica, whose queues are deleted after the test. */
  async function replica(
    durable: string,
    bindings: readonly Binding[],
    { kind = 'topic', work = () => undefined }: { kind?: BusKind; work?: (event: DurableEvent) => unknown } = {},
  ) {
    const queueName = durableQueueOf(name, durable);
    for (const levelMs of LEVELS_MS) stage.alsoDelete(retryQueueOf(queueName, levelMs));
    for (const levelMs of DELAY_LEVELS_MS) stage.alsoDelete(delayQueueOf(queueName, levelMs));
    for (const nameOf of [deadQueueOf, dueQueueOf, suspectQueueOf]) stage.alsoDelete(nameOf(queueName));
    stage.alsoDelete(queueName);
    const heard: DurableEvent[] = [];
    const handler = (event: DurableEvent) => (heard.push(event), work(event));
    const options = { durable, retryDelaysMs: LEVELS_MS, maxAttempts: 2, capacity: 1 };
    const subscription = (await open(kind)).subscribe(bindings, handler, options);
    await subscription.ready;
    return { heard, subscription, queueName };
  }

  const numbersOf = (heard: readonly DurableEvent[]) => heard.map(({ data }) => data['n']).sort();

  it('keeps what is published while no replica runs, and shares it among those that come', async () => {
    const first = await replica('billing', [{ key: 'order.*' }]);
    await first.subscription.close();
    const publisher = await open();
    for (let n = 10; n < 40; n++) await publisher.publish('order.paid', { n }, { mandatory: true });
    const replicas: Awaited<ReturnType<typeof replica>>[] = [];
    for (let number = 0; number < 3; number++) replicas.push(await replica('billing', [{ key: 'order.*' }]));
    for (let n = 40; n < 70; n++) await publisher.publish('order.paid', { n }, { mandatory: true });
    const all = () => replicas.flatMap(({ heard }) => heard);
    await stage.until('all came', () => all().length >= 60);
    expect(numbersOf(all())).toEqual(Array.from({ length: 60 }, (_, index) => index + 10));
    expect(replicas.filter(({ heard }) => heard.length > 0)).toHaveLength(3);
    expect(first.heard).toEqual([]);
  });

  it('tries again with the same key and id, and buries in its own dead queue and in no other', async () => {
    const failing = await replica('billing', [{ key: 'order.*' }], {
      work: ({ data }) => {
        throw data['poison'] === true ? new DiscardTask('no', { code: 'POISON' }) : new Error('again');
      },
    });
    const other = await replica('mails', [{ key: '#' }]);
    const publisher = await open();
    await publisher.publish('order.paid', { n: 1 }, { headers: { shop: 7 } });
    await publisher.publish('order.paid', { n: 2, poison: true });
    const channel = await stage.channel();
    channel.publish(name, 'order.paid', Buffer.from('no JSON'));
    await stage.untilDepth(channel, deadQueueOf(failing.queueName), 3);
    await stage.untilDepth(channel, deadQueueOf(other.queueName), 1);
    const tried = failing.heard.filter(({ data }) => data['n'] === 1);
    expect(tried.map(({ key, task, headers }) => [key, task.attempt, headers['shop']])).toEqual([
      ['order.paid', 1, 7],
      ['order.paid', 2, 7],
    ]);
    expect(tried[1]?.task.id).toBe(tried[0]?.task.id);
    expect(numbersOf(other.heard)).toEqual([1, 2]);
  });

  it('takes away the bindings that it is told to, and works by headers', async () => {
    const high = { headers: { 'x-match': 'all', level: 'high' } };
    const low = { headers: { 'x-match': 'all', level: 'low' } };
    const old = await replica('pager', [high, low], { kind: 'headers' });
    await old.subscription.close();
    const bus = await open('headers');
    const heard: unknown[] = [];
    const options = { durable: 'pager', retryDelaysMs: LEVELS_MS, unbind: [low] };
    await bus.subscribe([high], ({ data }) => heard.push(data['n']), options).ready;
    await bus.publish('', { n: 1 }, { headers: { level: 'low' } });
    await bus.publish('', { n: 2 }, { headers: { level: 'high' }, mandatory: true });
    await stage.until('it came', () => heard.length > 0);
    expect(heard).toEqual([2]);
  });

  it('is removed with one call, once it is empty or what is in it is to be discarded', async () => {
    const { subscription, queueName } = await replica('billing', [{ key: 'order.*' }]);
    const bus = await open();
    const remove = (discard: boolean) => bus.removeSubscription('billing', { discard, retryDelaysMs: LEVELS_MS });
    await expect(remove(true)).rejects.toMatchObject({ code: 'SUBSCRIPTION_IN_USE' });
    await subscription.close();
    await bus.publish('order.paid', { n: 1 }, { mandatory: true });
    await expect(remove(false)).rejects.toMatchObject({ code: 'SUBSCRIPTION_NOT_EMPTY' });
    expect(await remove(true)).toEqual({ wasThere: true, events: 1, deadLetters: 0 });
    expect(await remove(false)).toEqual({ wasThere: false, events: 0, deadLetters: 0 });
    await expect(bus.publish('order.paid', {}, { mandatory: true })).rejects.toMatchObject({
      code: 'PUBLISH_RETURNED',
    });
    await expect((await stage.channel()).checkQueue(queueName)).rejects.toMatchObject({ code: 404 });
  });
}
