import { EventEmitter } from 'node:events';
import type { Options } from 'amqplib';
import { FakeLink } from '../../../../test/support/fake-link';
import type { MercuryError } from '../errors';
import { Events } from '../events';
import { Connection } from './connection';
import type { ClientEvents } from './events';
import type { Outgoing } from './outgoing';
import { Publisher } from './publisher';

const TIMEOUT_MS = 1_000;
const MIB = 1_048_576;

interface Sent {
  exchange: string;
  routingKey: string;
  content: Buffer;
  options: Options.Publish;
  confirm(nack: Error | null): void;
}

class FakeChannel extends EventEmitter {
  readonly sent: Sent[] = [];

  publish(exchange: string, routingKey: string, content: Buffer, options: Options.Publish, confirm: Sent['confirm']) {
    this.sent.push({ exchange, routingKey, content, options, confirm });
  }
}

class BrokerLink extends FakeLink {
  readonly channels: FakeChannel[] = [];

  override connect(): void {
    const createConfirmChannel = async () => {
      this.channels.push(new FakeChannel());
      return this.channels.at(-1);
    };
    super.connect({ createConfirmChannel });
  }
}

const outcomes: string[] = [];
let link: BrokerLink;
let publisher: Publisher;

beforeEach(() => {
  jest.useFakeTimers();
  outcomes.length = 0;
  link = new BrokerLink();
  const events = new Events<ClientEvents>().on('published', (outcome) => outcomes.push(outcome));
  const connection = new Connection(link);
  publisher = new Publisher(connection, async () => undefined, TIMEOUT_MS, events);
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

describe('a publish', () => {
  it('asks for its way when it is sent, not before', async () => {
    const routingKey = jest.fn(() => 'q2');
    const published = publish('1', { routingKey });
    await pass(500);
    expect(routingKey).not.toHaveBeenCalled();
    const line = await opened();
    expect(line.sent).toMatchObject([{ exchange: 'e', routingKey: 'q2' }]);
    line.emit('return', { properties: { messageId: '1' }, fields: { routingKey: 'q2', replyText: 'NO_ROUTE' } });
    line.sent[0]?.confirm(null);
    expect(await published).toBe('PUBLISH_RETURNED');
    expect(lastError?.message).toContain('"q2"');
  });

  it('resolves only when the broker has confirmed it', async () => {
    const { sent } = await opened();
    const ended = jest.fn();
    const published = publish('1').then(ended);
    const options = { messageId: '1', type: 'report', mandatory: true };
    expect(sent).toMatchObject([{ exchange: 'e', routingKey: 'q', content: Buffer.from('{}'), options }]);
    await pass(TIMEOUT_MS - 1);
    expect(ended).not.toHaveBeenCalled();
    sent[0]?.confirm(null);
    await published;
    expect(ended).toHaveBeenCalledWith('confirmed');
    expect(outcomes).toEqual(['confirmed']);
  });

  it('is nacked when the broker refuses it', async () => {
    const { sent } = await opened();
    const published = publish('1');
    sent[0]?.confirm(new Error('message nacked'));
    expect(await published).toBe('PUBLISH_NACKED');
    expect(outcomes).toEqual(['nacked']);
  });

  it('is returned when no queue takes it, although the broker confirms it; others are not', async () => {
    const line = await opened();
    const published = [publish('1'), publish('2'), publish('1', { routingKey: 'other' })];
    line.emit('return', { properties: { messageId: '1' }, fields: { routingKey: 'q', replyText: 'NO_ROUTE' } });
    for (const { confirm } of line.sent) confirm(null);
    expect(await Promise.all(published)).toEqual(['PUBLISH_RETURNED', 'confirmed', 'confirmed']);
    expect(lastError?.message).toContain('"q" declared? (NO_ROUTE)');
  });

  it.each([
    ['confirm', null],
    ['refusal', new Error('message nacked')],
  ])('is unknown when no answer comes in time, and stays so when a %s comes late', async (_what, late) => {
    const { sent } = await opened();
    const published = publish('1');
    await pass(TIMEOUT_MS);
    expect(await published).toBe('PUBLISH_UNKNOWN');
    sent[0]?.confirm(late);
    expect(outcomes).toEqual(['unknown']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is not sent when there is no connection in time, and never later', async () => {
    const published = publish('1');
    await pass(TIMEOUT_MS);
    expect(await published).toBe('PUBLISH_NOT_SENT');
    expect(lastError).toMatchObject({ outcome: 'not-sent', cause: { code: 'BROKER_UNREACHABLE' } });
    link.connect();
    await settle();
    expect(channel(0).sent).toEqual([]);
  });

  it('waits for a connection and is sent once there is one, within the same deadline', async () => {
    const published = publish('1');
    await pass(TIMEOUT_MS - 1);
    link.connect();
    await settle();
    expect(idsOn(0)).toEqual(['1']);
    await pass(1);
    expect(await published).toBe('PUBLISH_UNKNOWN');
  });

  it('has its own deadline, counted from its own start', async () => {
    await opened();
    const first = publish('1');
    await pass(600);
    const second = [publish('2'), publish('3')];
    await pass(400);
    expect(await first).toBe('PUBLISH_UNKNOWN');
    channel(0).sent[1]?.confirm(null);
    await pass(600);
    expect(await Promise.all(second)).toEqual(['confirmed', 'PUBLISH_UNKNOWN']);
  });
});

describe('the window', () => {
  it('has 1,000 unconfirmed messages at most: more wait for their turn, in order', async () => {
    const { sent } = await opened();
    for (let id = 0; id < 1_002; id++) void publish(String(id));
    expect(sent).toHaveLength(1_000);
    sent[500]?.confirm(null);
    expect(idsOn(0).slice(1_000)).toEqual(['1000']);
    sent[3]?.confirm(new Error('message nacked'));
    expect(idsOn(0).slice(1_000)).toEqual(['1000', '1001']);
  });

  it('says whether the next message would be sent at once', async () => {
    expect(publisher.hasRoom).toBe(false);
    const { sent } = await opened();
    for (let id = 0; id < 1_000; id++) {
      expect(publisher.hasRoom).toBe(true);
      void publish(String(id));
    }
    expect(publisher.hasRoom).toBe(false);
    sent[500]?.confirm(null);
    expect(publisher.hasRoom).toBe(true);
  });

  it('has 32 MiB unconfirmed at most, and a smaller message does not overtake', async () => {
    const { sent } = await opened();
    const content = Buffer.alloc(16 * MIB);
    for (const id of ['1', '2']) void publish(id, { content });
    void publish('3', { content: Buffer.alloc(16 * MIB + 1) });
    void publish('4');
    sent[1]?.confirm(null);
    expect(idsOn(0)).toEqual(['1', '2']);
    sent[0]?.confirm(null);
    expect(idsOn(0)).toEqual(['1', '2', '3', '4']);
  });

  it('is not left by messages of unknown outcome: the broker may still have to write them', async () => {
    const { sent } = await opened();
    for (let id = 0; id < 1_000; id++) void publish(String(id));
    await pass(TIMEOUT_MS);
    const next = publish('next');
    await pass(TIMEOUT_MS);
    expect(await next).toBe('PUBLISH_NOT_SENT');
    expect(lastError?.message).toContain('does not confirm what it was sent');
    void publish('after');
    sent[0]?.confirm(null);
    expect(idsOn(0).slice(1_000)).toEqual(['after']);
  });
});
