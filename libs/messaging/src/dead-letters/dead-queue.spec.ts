import { EventEmitter } from 'node:events';
import type { Message } from 'amqplib';
import { FakeLink } from '../../../../test/support/fake-link';
import { Connection } from '../broker/connection';
import { HeldLetters, reserve } from './dead-queue';

type OnMessage = (message: Message | null) => void;

/** A channel of a broker that says it has `counts` letters, one answer after the other, and delivers as the test says. */
class FakeChannel extends EventEmitter {
  readonly log: string[] = [];
  onMessage: OnMessage = () => undefined;
  refusal: Error | undefined;

  constructor(private readonly counts: number[] = []) {
    super();
  }

  async checkQueue(): Promise<{ messageCount: number }> {
    if (this.refusal) throw this.refusal;
    return { messageCount: (this.counts.length > 1 ? this.counts.shift() : this.counts[0]) ?? 0 };
  }

  async assertQueue(): Promise<void> {
    if (this.refusal) throw this.refusal;
  }

  async prefetch(count: number): Promise<void> {
    this.log.push(`prefetch ${count}`);
  }

  async consume(_queue: string, onMessage: OnMessage): Promise<{ consumerTag: string }> {
    this.onMessage = onMessage;
    return { consumerTag: 'tag' };
  }

  async cancel(): Promise<void> {
    this.log.push('cancel');
  }

  ack(message: Message): void {
    this.log.push(`ack ${message.fields.deliveryTag}`);
  }

  nackAll(requeue: boolean): void {
    this.log.push(`nackAll requeue=${requeue}`);
  }

  async close(): Promise<void> {
    this.log.push('close');
  }

  deliver(...tags: number[]): void {
    for (const deliveryTag of tags) {
      const properties = { headers: { 'x-history': 'long' } };
      this.onMessage({ content: Buffer.from('{}'), fields: { deliveryTag }, properties } as unknown as Message);
    }
  }
}

const never = new AbortController().signal;

function connectionWith(channel: FakeChannel): Connection {
  const link = new FakeLink();
  link.connect({ createConfirmChannel: async () => channel });
  return new Connection(link);
}

const read = (channel: FakeChannel, signal = never) =>
  HeldLetters.read(connectionWith(channel), 'reports', (message) => message.fields.deliveryTag, signal);
const refused = (code: number, message = 'refused') => Object.assign(new Error(message), { code });
const withCode = (code: unknown) => expect.objectContaining({ code }) as Error;

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('HeldLetters', () => {
  it('holds as many as there were, takes some out, and waits until the others are back', async () => {
    const channel = new FakeChannel([3, 0, 1, 2]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1, 2, 3);
    const held = await reading;
    expect(held).toMatchObject({ heldCount: 3, queuedCount: 3 });
    expect(held.take(held.letters[1]!)).toBe(true);
    const back = held.giveBack();
    await jest.advanceTimersByTimeAsync(15);
    expect(channel.log).toEqual(['prefetch 3', 'ack 2', 'cancel', 'nackAll requeue=true']);
    await jest.advanceTimersByTimeAsync(5);
    await back;
    expect(channel.log.at(-1)).toBe('close');
  });

  it('keeps no bodies', async () => {
    const channel = new FakeChannel([1]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1);
    expect((await reading).letters[0]?.delivery.message.content).toHaveLength(0);
  });

  it('takes no more than 10,000, with a prefetch of just so many', async () => {
    const channel = new FakeChannel([10_001]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(...Array.from({ length: 10_000 }, (_, index) => index + 1));
    expect(await reading).toMatchObject({ heldCount: 10_000, queuedCount: 10_001 });
    expect(channel.log).toEqual(['prefetch 10000']);
  });

  it('goes on with what came when somebody else has taken the rest', async () => {
    const channel = new FakeChannel([3]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(4_999);
    channel.deliver(1);
    await jest.advanceTimersByTimeAsync(4_999);
    expect(channel.log).toEqual(['prefetch 3']);
    await jest.advanceTimersByTimeAsync(1);
    expect((await reading).heldCount).toBe(1);
  });

  it('asks for nothing of an empty queue', async () => {
    const channel = new FakeChannel([0]);
    expect((await read(channel)).letters).toEqual([]);
    expect(channel.log).toEqual([]);
  });

  it('fails when its channel is lost: the broker has taken the letters back', async () => {
    const channel = new FakeChannel([2]);
    const reading = read(channel);
    const failed = expect(reading).rejects.toEqual(withCode('BROKER_CHANNEL_LOST'));
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1);
    channel.emit('close');
    await jest.advanceTimersByTimeAsync(0);
    await failed;
    expect(channel.log.join()).not.toMatch(/ack/);
  });

  it('gives back what it has when it is told to end', async () => {
    const channel = new FakeChannel([2]);
    const stop = new AbortController();
    const reading = read(channel, stop.signal);
    const failed = expect(reading).rejects.toBe('enough');
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1);
    stop.abort('enough');
    await jest.advanceTimersByTimeAsync(0);
    await failed;
    expect(channel.log).toEqual(['prefetch 2', 'cancel', 'nackAll requeue=true', 'close']);
  });

  it('are lost when the broker cancels the reader: whoever goes on would repeat them', async () => {
    const channel = new FakeChannel([2]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1, 2);
    const held = await reading;
    held.throwIfLost();
    channel.onMessage(null);
    expect(() => held.throwIfLost()).toThrow('taken back the letters');
    expect(held.take(held.letters[0]!)).toBe(false);
    await held.giveBack();
    expect(channel.log).not.toContain('ack 1');
    expect(channel.log).toContain('nackAll requeue=true');
  });

  it('asks a broker that has cancelled the reader no more often than any other whether they are back', async () => {
    const channel = new FakeChannel([2, 0]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1, 2);
    const held = await reading;
    channel.onMessage(null);
    const asked = jest.spyOn(channel, 'checkQueue');
    const back = held.giveBack();
    await jest.advanceTimersByTimeAsync(5_000);
    await back;
    expect(asked.mock.calls.length).toBeLessThanOrEqual(502);
  });

  it('keeps nothing of a letter but what was asked for and its tag', async () => {
    const channel = new FakeChannel([1]);
    const reading = read(channel);
    await jest.advanceTimersByTimeAsync(0);
    channel.deliver(1);
    const { letters } = await reading;
    expect(letters.map(({ delivery }) => delivery.message)).toEqual([
      { fields: { deliveryTag: 1 }, content: Buffer.alloc(0), properties: {} },
    ]);
  });

  it('tells a missing queue from a broker that fails', async () => {
    const channel = new FakeChannel();
    channel.refusal = refused(404);
    await expect(read(channel)).rejects.toEqual(withCode('DEAD_QUEUE_MISSING'));
    channel.refusal = refused(541);
    await expect(read(channel)).rejects.toMatchObject({ code: 'BROKER_CHANNEL_LOST', cause: channel.refusal });
  });
});

describe('reserve', () => {
  it.each([
    [405, 'RESOURCE_LOCKED', 'DEAD_LETTERS_BUSY'],
    [403, 'ACCESS_REFUSED - queue in exclusive use', 'DEAD_LETTERS_BUSY'],
    [404, 'NOT_FOUND', 'DEAD_LETTERS_BUSY'],
    [403, 'ACCESS_REFUSED - configure access refused', 'BROKER_ACCESS_REFUSED'],
    [541, 'INTERNAL_ERROR', 'BROKER_CHANNEL_LOST'],
  ])('takes %d %s for %s', async (code, message, expected) => {
    const channel = new FakeChannel();
    channel.refusal = refused(code, message);
    await expect(reserve(connectionWith(channel), 'reports')).rejects.toEqual(withCode(expected));
    expect(channel.log).toEqual(['close']);
  });
});
