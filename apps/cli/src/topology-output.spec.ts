import { topologyOf } from '@mercury/messaging';
import { rabbitDefinitions, tableOfDefinitions } from './topology-output';

const definitions = topologyOf({
  queues: [{ queueName: 'reports', retryDelaysMs: [1_000] }],
  buses: [{ name: 'shop', kind: 'topic' }],
});

it('prints one line for each exchange, queue and binding, with what makes it', () => {
  const [head, ...lines] = tableOfDefinitions(definitions).split('\n');
  expect(head).toMatch(/^KIND +NAME +DETAILS$/);
  expect(lines.map((line) => line.split(' ')[0])).toEqual([
    ...Array<string>(5).fill('exchange'),
    ...Array<string>(1 + 4 + 1 + 7).fill('queue'),
    ...Array<string>(5).fill('binding'),
  ]);
  expect(lines).toContainEqual(
    expect.stringMatching(/^exchange +mercury\.back +direct alternate-exchange=mercury\.unrouted$/),
  );
  expect(lines).toContainEqual(expect.stringMatching(/^queue +reports\.retry\.1000 .*x-message-ttl=1000/));
  expect(lines).toContainEqual(expect.stringMatching(/^binding +mercury\.tasks -> reports +key=reports$/));
});

it('gives definitions as RabbitMQ imports them, for one virtual host or for any', () => {
  const named = rabbitDefinitions(definitions, '/') as Record<string, { vhost?: string; name?: string }[]>;
  expect(Object.keys(named)).toEqual(['exchanges', 'queues', 'bindings']);
  expect(
    Object.values(named)
      .flat()
      .every(({ vhost }) => vhost === '/'),
  ).toBe(true);
  expect(named['exchanges']?.find(({ name }) => name === 'mercury.back')).toEqual({
    name: 'mercury.back',
    vhost: '/',
    type: 'direct',
    durable: true,
    auto_delete: false,
    internal: false,
    arguments: { 'alternate-exchange': 'mercury.unrouted' },
  });
  const free = rabbitDefinitions(definitions) as typeof named;
  expect(
    Object.values(free)
      .flat()
      .some((each) => 'vhost' in each),
  ).toBe(false);
});
