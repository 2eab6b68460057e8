import { topologyOf } from './topology-options';

it('a durable subscription is a work queue that is bound to its bus, too', () => {
  const buses = [{ name: 'shop', kind: 'topic' as const }];
  const keys = ['order.paid', 'order.sent'];
  const { exchanges, queues, bindings } = topologyOf({
    buses,
    subscriptions: [{ bus: 'shop', durable: 'billing', keys }],
  });
  expect(exchanges.map(({ name }) => name)).toEqual(expect.arrayContaining(['mercury.tasks', 'shop']));
  expect(queues.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['shop.billing', 'shop.billing.dead', 'shop.billing.retry.1000']),
  );
  expect(bindings.filter(({ source }) => source === 'shop')).toEqual(
    keys.map((key) => ({ source: 'shop', queue: 'shop.billing', key })),
  );
});

it.each<[string, object, RegExp]>([
  [
    'a bus that is not among them',
    { bus: 'shop', durable: 'billing', keys: [] },
    /must be among the buses, with its kind/,
  ],
  ['a name that cannot be', { bus: 'logs', durable: 'a.dead', keys: [] }, /queueName must not end in ".dead"/],
])('a subscription of %s is refused', (_what, subscription, message) => {
  const options = { buses: [{ name: 'logs' }], subscriptions: [subscription as never] };
  expect(() => topologyOf(options)).toThrow(message);
});
