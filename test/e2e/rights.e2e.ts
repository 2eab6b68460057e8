import {
  DeadLetters,
  EventBus,
  MercuryError,
  Scheduler,
  Worker,
  WorkerClient,
  applyTopology,
} from '@mercury/messaging';
import { VirtualHost } from '../support/virtual-host';
import { Collector, until } from '../support/until';
import { Used } from '../support/used';

const ALL = { configure: '.*', write: '.*', read: '.*' };
const queueName = 'tasks';

let host: VirtualHost;
const hosts: VirtualHost[] = [];
const used = new Used();
afterEach(() => used.stop());

async function newHost(): Promise<VirtualHost> {
  const made = await VirtualHost.create();
  hosts.push(made);
  return made;
}

beforeAll(async () => {
  host = await newHost();
  const worker = used.add(new Idle({ rabbitUrl: host.url, queueName }));
  await worker.start();
  await used.stop();
});
afterAll(() => Promise.all(hosts.map((made) => made.delete())));

class Idle extends Worker {
  handler(): void {}
}

/** What a start, or anything else that should end by itself, is refused with. */
async function refusalOf(work: Promise<unknown>): Promise<MercuryError> {
  const ended: unknown = await work.then(
    () => new Error('It was not refused.'),
    (error: unknown) => error,
  );
  if (ended instanceof MercuryError) return ended;
  throw ended;
}

const refused = (message: RegExp) => ({
  code: 'BROKER_ACCESS_REFUSED',
  message: expect.stringMatching(message) as unknown,
});

describe('a missing right is told as such, with the right and the resource:', () => {
  it.each([
    ['to declare the queue', { ...ALL, configure: '^(?!tasks).*' }, /configure.* access to queue 'tasks/],
    // Exchanges and mercury.unrouted are asked for at the same time: either may be refused first.
    ['to declare what all queues share', { ...ALL, configure: '^(?!mercury).*' }, /configure.* access to \w+ 'mercury/],
    ['to bind the queue', { ...ALL, write: '^(?!tasks).*' }, /write access to queue 'tasks/],
    ['to consume', { ...ALL, read: '^(?!tasks$).*' }, /read access to queue 'tasks'/],
  ])('of a worker %s', async (_what, rights, message) => {
    const worker = used.add(new Idle({ rabbitUrl: await host.userWith(rights), queueName }));
    expect(await refusalOf(worker.start())).toMatchObject(refused(message));
    expect(worker.problem).toMatchObject(refused(message));
  });

  it('of a client to publish: the put is refused at once, and not stored', async () => {
    const rabbitUrl = await host.userWith({ ...ALL, write: '^(?!mercury\\.tasks).*' });
    const client = used.add(new WorkerClient({ rabbitUrl, queueName }));
    const refusal = await refusalOf(client.put({}, { type: 'report' }));
    expect(refusal).toMatchObject({
      code: 'PUBLISH_NOT_SENT',
      message: expect.stringMatching(/write access to exchange 'mercury\.tasks'/) as unknown,
    });
  });

  it('of a subscriber to read the bus', async () => {
    const bus = used.add(
      new EventBus({ rabbitUrl: await host.userWith({ ...ALL, read: '^(?!shop).*' }), name: 'shop' }),
    );
    const { ready } = bus.subscribe([{ key: 'info' }], () => undefined);
    expect(await refusalOf(ready)).toMatchObject(refused(/read access to exchange 'shop'/));
  });

  it("of a durable subscriber to bind under topology 'check', who hears by the binding that an operator has made", async () => {
    const subscriptions = [{ bus: 'orders', durable: 'billing', keys: ['order.paid'] }];
    await applyTopology({ rabbitUrl: host.url }, { buses: [{ name: 'orders', kind: 'topic' }], subscriptions });
    const rabbitUrl = await host.userWith({ ...ALL, configure: '^$', read: '^orders\\.billing.*' });
    const bus = used.add(new EventBus({ rabbitUrl, name: 'orders', topology: 'check' }, 'topic'));
    const [told, heard] = [new Collector<MercuryError>(), new Collector<unknown>()];
    bus.events.on('problem', (problem) => told.push(problem));
    await bus.subscribe([{ key: 'order.paid' }], ({ data }) => heard.push(data), { durable: 'billing' }).ready;
    const mending =
      /may not bind "orders\.billing".*mercury topology apply --subscription 'orders:billing:order\.paid'/;
    await until('it is told', () => told.values.some(({ message }) => mending.test(message)));
    await bus.publish('order.paid', { orderId: 1 }, { mandatory: true });
    expect(await heard.atLeast(1)).toEqual([{ orderId: 1 }]);
  });

  it('of a scheduler to stand for election', async () => {
    const schedules = [{ name: 'nightly', cron: '0 3 * * *', type: 'report', body: {} }];
    const rabbitUrl = await host.userWith({ ...ALL, read: '^(?!.*schedule).*' });
    const scheduler = used.add(new Scheduler({ rabbitUrl, queueName, schedules }));
    expect(await refusalOf(scheduler.start())).toMatchObject(refused(/read access to queue 'tasks\.schedule'/));
  });

  it('of a scheduler to put what is due', async () => {
    const schedules = [{ name: 'often', cron: '* * * * * *', type: 'report', body: {} }];
    const rabbitUrl = await host.userWith({ ...ALL, write: '^(?!mercury\\.tasks).*' });
    const scheduler = used.add(new Scheduler({ rabbitUrl, queueName, schedules }));
    const problems = new Collector<MercuryError>();
    scheduler.events.on('problem', (problem) => problems.push(problem));
    await scheduler.start();
    const [first] = await problems.atLeast(1);
    expect(first).toMatchObject(refused(/write access to exchange 'mercury\.tasks'/));
  });

  it('of a reader of dead letters', async () => {
    const letters = used.add(
      new DeadLetters({ rabbitUrl: await host.userWith({ ...ALL, configure: '^$' }), queueName }),
    );
    expect(await refusalOf(letters.list())).toMatchObject(refused(/configure.* access to queue 'tasks\.dead/));
  });
});

it('a virtual host that takes no more connections is not told as a wrong password', async () => {
  const full = await newHost();
  await full.limitConnections(0);
  const worker = used.add(new Idle({ rabbitUrl: full.url, queueName }));
  expect(await refusalOf(worker.start())).toMatchObject(refused(/virtual host.*connections/));
  // It goes on trying, and comes up once there is room.
  await full.limitConnections(10);
  await until('the worker consumes', () => worker.problem === undefined, 15_000);
});

it('a password beyond ASCII is the one that was set', async () => {
  const client = used.add(new WorkerClient({ rabbitUrl: await host.userWith(ALL, 'pässwörd€ 100%'), queueName }));
  await expect(client.put({}, { type: 'report' })).resolves.toEqual(expect.any(String));
});
