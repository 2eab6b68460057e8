import type { ConfirmChannel } from 'amqplib';
import { EventBus, Logger, type BusEvent, type JsonObject } from '@mercury/messaging';
import { gate } from '../../support/until';
import type { Stage } from './stage';

class TestLogger extends Logger {
  readonly heard: [string, JsonObject][] = [];

  override handleInfo(data: JsonObject): void {
    this.heard.push(['info', data]);
  }

  override handleCritical(data: JsonObject): void {
    this.heard.push(['critical', data]);
  }
}

/** The event bus, as its users see it. */
export function describeEvents(stage: Stage): void {
  let name: string;
  let stopAfter: { stop(): Promise<void> }[];

  beforeEach(() => {
    name = stage.exchangeName();
    stopAfter = [];
  });

  afterEach(() => Promise.all(stopAfter.map((each) => each.stop())));

  async function logger(): Promise<TestLogger> {
    const { connections } = await stage.program();
    const made = new TestLogger({ connections, name });
    made.events.on('problem', () => undefined);
    stopAfter.push(made);
    return made;
  }

  it('gives each event to every logger that listens, in order, with its level', async () => {
    const [first, second, sender] = [await logger(), await logger(), await logger()];
    await sender.info({ n: 0 });
    await Promise.all([first.start(), second.start()]);
    await sender.info({ n: 1 });
    await sender.critical({ n: 2 });
    for (const { heard } of [first, second]) {
      await stage.until('both came', () => heard.length === 2);
      expect(heard).toEqual([
        ['info', { n: 1 }],
        ['critical', { n: 2 }],
      ]);
    }
    expect(sender.heard).toEqual([]);
  });

  it('is subscribed to again after a cut, and tells what was missed', async () => {
    const sender = await logger();
    const program = await stage.program();
    const listener = new TestLogger({ connections: program.connections, name });
    const problems: string[] = [];
    listener.events.on('problem', ({ code }) => problems.push(code));
    stopAfter.push(listener);
    await listener.start();
    await sender.info({ n: 1 });
    await stage.until('it came', () => listener.heard.length === 1);
    program.cut();
    await stage.until('it has noticed', () => listener.problem !== undefined || problems.length > 0);
    await sender.info({ n: 2 });
    await stage.until('it hears again', async () => {
      await sender.info({ n: 3 });
      return listener.heard.length > 1;
    });
    await stage.until('all is well', () => listener.problem === undefined);
  });

  it('misses nothing when only its channel is lost', async () => {
    const { connections } = await stage.program();
    const open = connections.consuming.openChannel.bind(connections.consuming);
    const channels: ConfirmChannel[] = [];
    jest.spyOn(connections.consuming, 'openChannel').mockImplementation(async () => {
      channels.push(await open());
      return channels.at(-1)!;
    });
    const bus = new EventBus({ connections, name });
    stopAfter.push(bus);
    const problems: string[] = [];
    bus.events.on('problem', ({ code }) => problems.push(code));
    const held = gate();
    const heard: unknown[] = [];
    const subscription = bus.subscribe([{ key: 'info' }], ({ data }) => (heard.push(data['n']), held.opened));
    await subscription.ready;
    for (let n = 1; n <= 30; n++) await bus.publish('info', { n });
    await stage.until('the first came', () => heard.length === 1);
    channels[0]?.publish(`${name}.nowhere`, '', Buffer.from('{}'));
    await stage.until('it has noticed', () => problems.length > 0);
    await stage.until('it is back', () => subscription.problem === undefined);
    held.open();
    await stage.until('all came', () => heard.length === 31);
    expect(heard).toEqual([1, ...Array.from({ length: 30 }, (_, index) => index + 1)]);
    expect(problems).not.toContain('EVENTS_MISSED');
  });

  it('refuses what nobody hears, if that is wanted, and takes the patterns of its kind', async () => {
    const { connections } = await stage.program();
    const bus = new EventBus({ connections, name }, 'topic');
    stopAfter.push(bus);
    const heard: BusEvent[] = [];
    await bus.subscribe([{ key: 'order.*' }, { key: '#.paid' }], (event) => heard.push(event)).ready;
    await bus.publish('order.paid', { n: 1 }, { headers: { shop: 7 }, mandatory: true });
    await expect(bus.publish('customer.new', {}, { mandatory: true })).rejects.toMatchObject({
      code: 'PUBLISH_RETURNED',
    });
    await bus.publish('customer.new', {});
    await stage.until('it came', () => heard.length > 0);
    expect(heard).toMatchObject([{ key: 'order.paid', data: { n: 1 }, headers: { shop: 7, 'x-sequence': 1 } }]);
  });

  it('says so when it exists with another type', async () => {
    const channel = await stage.channel();
    await channel.assertExchange(name, 'fanout', { durable: true });
    await expect((await logger()).start()).rejects.toMatchObject({ code: 'BROKER_TOPOLOGY_MISMATCH' });
  });
}
