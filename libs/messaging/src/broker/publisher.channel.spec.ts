import { EventEmitter } from 'node:events';
import type { Options } from 'amqplib';
import { FakeLink } from '../../../../test/support/fake-link';
import type { MercuryError } from '../errors';
import { Events } from '../events';
import { Connection } from './connection';
import type { ClientEvents } from './events';
import { UnwritableError } from './field-table';
import type { Outgoing } from './outgoing';
import { Publisher } from './publisher';

const TIMEOUT_MS = 1_000;
const unwritable = {};
const tooLarge = {};

interface Sent {
  options: Options.Publish;
  confirm(nack: Error | null): void;
}

class FakeChannel extends EventEmitter {
  readonly sent: Sent[] = [];
  open = true;
  allConfirmed: () => void = () => undefined;

  constructor() {
    super();
    // As in amqplib the confirm callbacks hear of the close before anybody else does.
    this.once('close', () => this.sent.forEach(({ confirm }) => confirm(new Error('channel closed'))));
  }

  publish(_exchange: string, _key: string, _content: Buffer, options: Options.Publish, confirm: Sent['confirm']) {
    if (!this.open) throw new Error('Channel closed');
    if ((options.headers as object | undefined) === unwritable) throw new TypeError('Unsupported type of header');
    if ((options.headers as object | undefined) === tooLarge) throw new UnwritableError('Too large.');
    this.sent.push({ options, confirm });
  }

  waitForConfirms(): Promise<void> {
    return new Promise((resolve) => (this.allConfirmed = resolve));
  }

  async close(): Promise<void> {
    this.open = false;
    this.emit('close');
  }
}

class BrokerLink extends FakeLink {
  readonly channels: FakeChannel[] = [];
  opening = Promise.resolve();

  override connect(): void {
    const createConfirmChannel = async () => {
      await this.opening;
      this.channels.push(new FakeChannel());
      return this.channels.at(-1);
    };
    super.connect({ createConfirmChannel });
  }
}

const outcomes: string[] = [];
const problems: MercuryError[] = [];
let link: BrokerLink;
let setups: (() => Promise<void>)[];
let publisher: Publisher;

beforeEach(() => {
  jest.useFakeTimers();
  outcomes.length = problems.length = 0;
  link = new BrokerLink();
  setups = [];
  const events = new Events<ClientEvents>()
    .on('published', (outcome) => outcomes.push(outcome))
    .on('problem', (problem) => problems.push(problem));
  const connection = new Connection(link);
  publisher = new Publisher(connection, async () => setups.shift()?.(), TIMEOUT_MS, events);
});
afterEach(() => jest.useRealTimers());

const settle = () => jest.advanceTimersByTimeAsync(0);
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

async function opened(): Promise<FakeChannel> {
  link.connect();
  publisher.open();
  await settle();
  return channel(0);
}

function channel(index: number): FakeChannel {
  const found = link.channels[index];
  if (!found) throw new Error(`Channel ${index} was not opened.`);
  return found;
}

/** Resolves to `confirmed` or the code of the error, which is kept as well. */
let lastError: MercuryError | undefined;
function publish(id: string, change: Partial<Outgoing> = {}): Promise<string> {
  const properties = { messageId: id, type: 'report' };
  const message = {
    exchange: 'e',
    routingKey: 'q',
    content: Buffer.from('{}'),
    properties: { ...properties, mandatory: true },
  };
  return publisher.publish({ ...message, ...change }).then(
    () => 'confirmed',
    (error: MercuryError) => {
      lastError = error;
      return error.code;
    },
  );
}

const idsOn = (index: number) => channel(index).sent.map(({ options }) => String(options.messageId));

describe('a channel', () => {
  it('is replaced after a publish that threw; the old one settles what it has and is then closed', async () => {
    const old = await opened();
    const before = publish('1');
    expect(await publish('2', { properties: { headers: unwritable } })).toBe('PUBLISH_NOT_SENT');
    expect(lastError?.cause).toBeInstanceOf(TypeError);
    const after = publish('3');
    await settle();
    expect([idsOn(0), idsOn(1)]).toEqual([['1'], ['3']]);
    old.sent[0]?.confirm(null);
    expect(await before).toBe('confirmed');
    expect(old.open).toBe(true);
    old.allConfirmed();
    await settle();
    expect(old.open).toBe(false);
    channel(1).sent[0]?.confirm(null);
    expect(await after).toBe('confirmed');
  });

  it('is kept when a message does not fit into its frames: nothing was written', async () => {
    await opened();
    expect(await publish('1', { properties: { headers: tooLarge } })).toBe('PUBLISH_NOT_SENT');
    void publish('2');
    await settle();
    expect([link.channels.length, idsOn(0)]).toEqual([1, ['2']]);
  });

  it('gives back the room of what could not be written to it', async () => {
    await opened();
    const content = Buffer.alloc(16 * 1_048_576);
    for (let round = 0; round < 5; round++) {
      expect(await publish('no', { content, properties: { headers: tooLarge } })).toBe('PUBLISH_NOT_SENT');
    }
    for (const id of ['1', '2']) void publish(id, { content });
    expect(idsOn(0)).toEqual(['1', '2']);
  });

  it('that was replaced gives its room to the next one when it is lost', async () => {
    const old = await opened();
    const inFlight = Array.from({ length: 1_000 }, (_, id) => publish(String(id)));
    publisher.renew();
    await settle();
    const waiting = publish('waiting');
    expect(idsOn(1)).toEqual([]);
    await old.close();
    expect(idsOn(1)).toEqual(['waiting']);
    expect(new Set(await Promise.all(inFlight))).toEqual(new Set(['PUBLISH_UNKNOWN']));
    channel(1).sent[0]?.confirm(null);
    expect(await waiting).toBe('confirmed');
  });

  it('that was replaced gives its room to the next one with each confirm', async () => {
    const old = await opened();
    for (let id = 0; id < 1_000; id++) void publish(String(id));
    publisher.renew();
    await settle();
    void publish('waiting');
    old.sent[0]?.confirm(null);
    expect(idsOn(1)).toEqual(['waiting']);
  });

  it('that closes is replaced, and declared for again', async () => {
    let declared = 0;
    setups = [async () => void declared++, async () => void declared++];
    const old = await opened();
    await old.close();
    await settle();
    expect(declared).toBe(2);
    void publish('1');
    expect([idsOn(0), idsOn(1)]).toEqual([[], ['1']]);
  });

  it('that opens after something more was asked for is not used: the setup runs again first', async () => {
    let declared = 0;
    setups = [async () => void declared++, async () => void declared++];
    let open: () => void = () => undefined;
    link.opening = new Promise((resolve) => (open = resolve));
    link.connect();
    void publish('1');
    await settle();
    publisher.extend();
    void publish('delayed');
    open();
    await settle();
    expect(declared).toBe(2);
    expect([idsOn(0), idsOn(1)]).toEqual([[], ['1', 'delayed']]);
    expect(channel(0).open).toBe(false);
  });

  it('is not opened before the setup succeeded: it is tried again, and the problem told meanwhile', async () => {
    setups = [() => Promise.reject(new Error('406'))];
    link.connect();
    const published = publish('1');
    await settle();
    expect(link.channels).toEqual([]);
    expect(publisher.problem).toBe(problems[0]);
    expect(problems).toMatchObject([{ code: 'BROKER_CHANNEL_LOST', cause: { message: '406' } }]);
    await pass(300);
    expect(publisher.problem).toBeUndefined();
    channel(0).sent[0]?.confirm(null);
    expect(await published).toBe('confirmed');
  });
});

describe('a blocked broker', () => {
  it('fails what waits and what comes at once, leaves what is sent, and is used again when it is not', async () => {
    await opened();
    const sent = publish('sent');
    for (let id = 0; id < 999; id++) void publish(String(id));
    const waiting = publish('waiting');
    link.events.emit('blocked', 'low on disk');
    expect(await waiting).toBe('PUBLISH_NOT_SENT');
    expect(await publish('next')).toBe('PUBLISH_NOT_SENT');
    expect(lastError).toMatchObject({ message: expect.stringContaining('low on disk') as string });
    expect(publisher.problem?.code).toBe('BROKER_BLOCKED');
    channel(0).sent[0]?.confirm(null);
    expect(await sent).toBe('confirmed');
    link.events.emit('unblocked');
    void publish('after');
    expect(idsOn(0).at(-1)).toBe('after');
  });

  it.each([
    ['refuses the user', 'Handshake terminated by server: 403 (ACCESS-REFUSED)', 'PUBLISH_NOT_SENT'],
    ['is only away', 'connect ECONNREFUSED', 'still waiting'],
  ])('is not waited for when it %s', async (_what, message, expected) => {
    const published = publish('1');
    link.events.emit('failed', new Error(message));
    expect(await Promise.race([published, settle().then(() => 'still waiting')])).toBe(expected);
  });
});

describe('close', () => {
  it('waits for what is unconfirmed, closes the channel and leaves no timer', async () => {
    const line = await opened();
    const published = publish('1');
    const closed = publisher.close(5_000);
    await settle();
    expect(line.open).toBe(true);
    line.sent[0]?.confirm(null);
    await closed;
    expect(await published).toBe('confirmed');
    expect(line.open).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
    expect(await publish('2')).toBe('PUBLISH_NOT_SENT');
    await publisher.close(5_000);
  });

  it('after its time fails what is sent as unknown, and what waits as not sent', async () => {
    await opened();
    const published = Array.from({ length: 1_001 }, (_, id) => publish(String(id)));
    const closed = publisher.close(100);
    await pass(100);
    await closed;
    const results = await Promise.all(published);
    expect(results.slice(0, 1_000).every((result) => result === 'PUBLISH_UNKNOWN')).toBe(true);
    expect(results[1_000]).toBe('PUBLISH_NOT_SENT');
    expect(outcomes).toHaveLength(1_001);
  });

  it('leaves no channel open that was still being opened', async () => {
    let answer: () => void = () => undefined;
    link.opening = new Promise((resolve) => (answer = resolve));
    link.connect();
    publisher.open();
    await settle();
    const closed = publisher.close(5_000);
    answer();
    await closed;
    expect(link.channels.map(({ open }) => open)).toEqual([false]);
  });

  it('ends at once where there never was a connection', async () => {
    publisher.open();
    await publisher.close(5_000);
    expect(jest.getTimerCount()).toBe(0);
    expect(link.channels).toEqual([]);
  });
});

it('leaves no listener on a connection that others share once it is closed', async () => {
  const connection = new Connection(link);
  const { emitter } = connection.events as unknown as { emitter: EventEmitter };
  const listeners = () => emitter.eventNames().map((name) => [name, emitter.listenerCount(name)]);
  link.connect();
  const before = listeners();
  for (let round = 0; round < 20; round++) {
    const another = new Publisher(connection, async () => undefined, TIMEOUT_MS, new Events<ClientEvents>());
    another.open();
    await settle();
    await another.close(1_000);
  }
  expect(listeners()).toEqual(before);
});

describe('a channel that breaks off', () => {
  it('leaves what it had in flight unknown, and what waits to the next one', async () => {
    const line = await opened();
    const inFlight = Array.from({ length: 1_000 }, (_, id) => publish(String(id)));
    const waiting = publish('waiting');
    await line.close();
    await settle();
    expect(new Set(await Promise.all(inFlight))).toEqual(new Set(['PUBLISH_UNKNOWN']));
    expect(idsOn(1)).toEqual(['waiting']);
    channel(1).sent[0]?.confirm(null);
    expect(await waiting).toBe('confirmed');
  });

  it('and never answers its close does not hold up the close of the publisher', async () => {
    const line = await opened();
    line.close = () => new Promise(() => undefined);
    const closed = publisher.close(10);
    await pass(2_000);
    await expect(closed).resolves.toBeUndefined();
  });
});

it('keeps no process alive once nothing is pending', async () => {
  jest.useRealTimers();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  link.connect();
  const published = publish('1');
  while (link.channels[0]?.sent.length !== 1) await new Promise((resolve) => setImmediate(resolve));
  channel(0).sent[0]?.confirm(null);
  expect(await published).toBe('confirmed');
  expect(timers()).toBe(before);
});
