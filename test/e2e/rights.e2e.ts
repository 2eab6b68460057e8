import { DeadLetters, EventBus, MercuryError, Scheduler, Worker, WorkerClient } from '@mercury/messaging';
import { VirtualHost } from '../support/virtual-host';
import { until } from '../support/until';

const ALL = { configure: '.*', write: '.*', read: '.*' };
const queueName = 'tasks';

let host: VirtualHost;
beforeAll(async () => {
  host = await VirtualHost.create();
  const worker = new Idle({ rabbitUrl: host.url, queueName });
  await worker.start();
  await worker.stop();
});
afterAll(() => host.delete());

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

describe('a missing right is told as such, with the resource:', () => {
  it.each([
    ['to declare the queue', { ...ALL, configure: '^(?!tasks).*' }, /queue 'tasks/],
    ['to declare an exchange', { ...ALL, configure: '^(?!mercury).*' }, /exchange 'mercury/],
    ['to bind the queue', { ...ALL, write: '^(?!tasks).*' }, /queue 'tasks/],
    ['to consume', { ...ALL, read: '^(?!tasks$).*' }, /queue 'tasks'/],
  ])('of a worker %s', async (_what, rights, message) => {
    const worker = new Idle({ rabbitUrl: await host.userWith(rights), queueName });
    worker.events.on('problem', () => undefined);
    expect(await refusalOf(worker.start())).toMatchObject(refused(message));
    expect(worker.problem).toMatchObject(refused(message));
    await worker.stop();
  });

  it('of a client to publish: the put is refused at once, and not stored', async () => {
    const rabbitUrl = await host.userWith({ ...ALL, write: '^(?!mercury\\.tasks).*' });
    const client = new WorkerClient({ rabbitUrl, queueName });
    client.events.on('problem', () => undefined);
    const refusal = await refusalOf(client.put({}, { type: 'report' }));
    expect(refusal).toMatchObject({
      code: 'PUBLISH_NOT_SENT',
      message: expect.stringMatching(/mercury\.tasks/) as unknown,
    });
    await client.stop();
  });

  it('of a subscriber to read the bus', async () => {
    const bus = new EventBus({ rabbitUrl: await host.userWith({ ...ALL, read: '^(?!shop).*' }), name: 'shop' });
    bus.events.on('problem', () => undefined);
    const { ready } = bus.subscribe([{ key: 'info' }], () => undefined);
    expect(await refusalOf(ready)).toMatchObject(refused(/exchange 'shop'/));
    await bus.stop();
  });

  it('of a scheduler to stand for election', async () => {
    const schedules = [{ name: 'nightly', cron: '0 3 * * *', type: 'report', body: {} }];
    const rabbitUrl = await host.userWith({ ...ALL, read: '^(?!.*schedule).*' });
    const scheduler = new Scheduler({ rabbitUrl, queueName, schedules });
    scheduler.events.on('problem', () => undefined);
    expect(await refusalOf(scheduler.start())).toMatchObject(refused(/tasks\.schedule/));
    await scheduler.stop();
  });

  it('of a reader of dead letters', async () => {
    const letters = new DeadLetters({ rabbitUrl: await host.userWith({ ...ALL, configure: '^$' }), queueName });
    letters.events.on('problem', () => undefined);
    expect(await refusalOf(letters.list())).toMatchObject(refused(/tasks\.dead/));
    await letters.stop();
  });
});

it('a virtual host that takes no more connections is not told as a wrong password', async () => {
  const full = await VirtualHost.create();
  await full.limitConnections(0);
  const worker = new Idle({ rabbitUrl: full.url, queueName });
  worker.events.on('problem', () => undefined);
  expect(await refusalOf(worker.start())).toMatchObject(refused(/virtual host.*connections/));
  // It goes on trying, and comes up once there is room.
  await full.limitConnections(10);
  await until('the worker consumes', () => worker.problem === undefined, 15_000);
  await worker.stop();
  await full.delete();
});

it('a password beyond ASCII is the one that was set', async () => {
  const client = new WorkerClient({ rabbitUrl: await host.userWith(ALL, 'pässwörd€ 100%'), queueName });
  await expect(client.put({}, { type: 'report' })).resolves.toEqual(expect.any(String));
  await client.stop();
});
