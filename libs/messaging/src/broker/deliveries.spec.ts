import type { Message } from 'amqplib';
import { Deliveries } from './deliveries';
import { ACK_FRAME_BYTES, writeAck } from './frames';

const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as Message;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Keeps the account that a broker keeps. */
class FakeBroker {
  readonly told: string[] = [];
  readonly outstanding = new Set<number>();
  readonly acked = new Set<number>();

  ack({ fields: { deliveryTag } }: Message, allUpTo = false): void {
    this.told.push(`ack ${deliveryTag}${allUpTo ? ' and all before' : ''}`);
    const tags = allUpTo ? [...this.outstanding].filter((tag) => tag <= deliveryTag) : [deliveryTag];
    for (const tag of tags) {
      if (!this.outstanding.delete(tag)) throw new Error(`Tag ${tag} is not outstanding.`);
      this.acked.add(tag);
    }
  }

  nack({ fields: { deliveryTag } }: Message): void {
    this.told.push(`nack ${deliveryTag}`);
    if (!this.outstanding.delete(deliveryTag)) throw new Error(`Tag ${deliveryTag} is not outstanding.`);
  }
}

let broker: FakeBroker;
let deliveries: Deliveries;

beforeEach(() => {
  broker = new FakeBroker();
  deliveries = new Deliveries(broker, new AbortController().signal);
});

function deliver(...tags: number[]): void {
  for (const tag of tags) {
    broker.outstanding.add(tag);
    deliveries.of(message(tag));
  }
}

it('tells all that ended in one turn with one ack', async () => {
  deliver(1, 2, 3, 4);
  for (const tag of [2, 1, 3]) deliveries.ack(message(tag));
  expect(broker.told).toEqual([]);
  await turn();
  expect(broker.told).toEqual(['ack 3 and all before']);
  deliveries.ack(message(4));
  await turn();
  expect(broker.told.slice(1)).toEqual(['ack 4 and all before']);
});

it('tells each by itself that comes after an open one', async () => {
  deliver(1, 2, 3, 4, 5);
  for (const tag of [1, 2, 5, 4]) deliveries.ack(message(tag));
  await turn();
  expect(broker.told).toEqual(['ack 5', 'ack 4', 'ack 2 and all before']);
  expect([...broker.outstanding]).toEqual([3]);
  deliveries.ack(message(3));
  await turn();
  expect(broker.told.at(-1)).toBe('ack 3 and all before');
});

it('gives back at once, and goes on over the gap', async () => {
  deliver(1, 2, 3);
  deliveries.ack(message(1));
  deliveries.nack(message(2), false, true);
  deliveries.ack(message(3));
  await turn();
  expect(broker.told).toEqual(['nack 2', 'ack 3 and all before']);
  expect([...broker.acked]).toEqual([1, 3]);
});

it('has told the broker before anything goes on that waited for the end', async () => {
  deliver(1);
  const settle = async () => deliveries.ack(message(1));
  await settle();
  expect(broker.told).toEqual(['ack 1 and all before']);
});

it('never acks early, and acks everything, whatever the order', async () => {
  for (let round = 0; round < 60; round++) {
    broker = new FakeBroker();
    deliveries = new Deliveries(broker, new AbortController().signal);
    const running: number[] = [];
    const ended = new Set<number>();
    let lastTag = 0;
    for (let step = 0; step < 40 || running.length > 0; step++) {
      if (step < 40 && Math.random() < 0.6) {
        deliver(++lastTag);
        running.push(lastTag);
      } else if (running.length > 0) {
        const [tag = 0] = running.splice(Math.floor(Math.random() * running.length), 1);
        if (Math.random() < 0.1) deliveries.nack(message(tag), false, true);
        else {
          ended.add(tag);
          deliveries.ack(message(tag));
        }
      }
      if (Math.random() < 0.2) await Promise.resolve();
      for (const tag of broker.acked) expect(ended.has(tag)).toBe(true);
    }
    await turn();
    expect([...broker.acked].sort((a, b) => a - b)).toEqual([...ended].sort((a, b) => a - b));
    expect(broker.outstanding.size).toBe(0);
  }
});

describe('where the inside of amqplib is the one that is known', () => {
  const written: Buffer[] = [];
  const buffer = { write: (frames: Buffer) => written.push(Buffer.from(frames)) };
  const channel = () => ({
    ch: 1,
    connection: { frameMax: 131_072, sentSinceLastCheck: false, channels: [null, { buffer }] },
    pushConfirmCallback: () => undefined,
    ack: (acked: Message, allUpTo: boolean) => broker.ack(acked, allUpTo),
    nack: (given: Message) => broker.nack(given),
  });

  beforeEach(() => written.splice(0));

  it('sends the acks of one turn in one piece', async () => {
    const inside = Object.setPrototypeOf(channel(), { sendMessage: () => undefined }) as ReturnType<typeof channel>;
    deliveries = new Deliveries(inside, new AbortController().signal);
    deliver(1, 2, 3, 4, 5);
    for (const tag of [1, 2, 5, 4]) deliveries.ack(message(tag));
    await turn();
    const expected = Buffer.alloc(3 * ACK_FRAME_BYTES);
    writeAck(expected, 0, 1, 5, false);
    writeAck(expected, ACK_FRAME_BYTES, 1, 4, false);
    writeAck(expected, 2 * ACK_FRAME_BYTES, 1, 2, true);
    expect(written).toEqual([expected]);
    expect(inside.connection.sentSinceLastCheck).toBe(true);
  });

  it('writes nothing when all was told already', async () => {
    const inside = Object.setPrototypeOf(channel(), { sendMessage: () => undefined }) as ReturnType<typeof channel>;
    deliveries = new Deliveries(inside, new AbortController().signal);
    deliver(1);
    deliveries.ack(message(1));
    // The ack leaves meanwhile.
    await deliveries.finish();
    expect(written.map(({ length }) => length)).toEqual([ACK_FRAME_BYTES]);
  });

  it('leaves it to amqplib to refuse acks on a channel that closes', async () => {
    const closing = { ...channel(), sendMessage: () => undefined };
    deliveries = new Deliveries(closing, new AbortController().signal);
    deliver(1);
    deliveries.ack(message(1));
    await turn();
    expect(written).toEqual([]);
    expect(broker.told).toEqual(['ack 1 and all before']);
  });
});

it('says nothing on a channel that is closed', async () => {
  deliver(1);
  broker.ack = () => {
    throw new Error('Channel closed');
  };
  deliveries.ack(message(1));
  await turn();
  expect(broker.told).toEqual([]);
});

describe('while it drains', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'setImmediate', 'nextTick'] }));
  afterEach(() => jest.useRealTimers());

  it('tells seldom: the run that reaches back to the oldest open one, and some of those after it', async () => {
    deliver(...Array.from({ length: 60 }, (_, index) => index + 1));
    deliveries.drain();
    deliveries.ack(message(1));
    for (let tag = 3; tag <= 60; tag++) deliveries.ack(message(tag));
    await turn();
    expect(broker.told).toEqual([]);
    jest.advanceTimersByTime(100);
    expect(broker.told).toHaveLength(25);
    expect(broker.told.at(-1)).toBe('ack 1 and all before');
    jest.advanceTimersByTime(100);
    expect(broker.told).toHaveLength(49);
    jest.advanceTimersByTime(100);
    expect([...broker.outstanding]).toEqual([2]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('goes on when the oldest open one is given back', () => {
    deliver(1, 2);
    deliveries.drain();
    deliveries.ack(message(2));
    deliveries.nack(message(1), false, true);
    jest.advanceTimersByTime(100);
    expect(broker.told).toEqual(['nack 1', 'ack 2 and all before']);
  });

  it('tells at once when nothing is open any more', async () => {
    deliver(1, 2, 3);
    deliveries.drain();
    for (const tag of [3, 1]) deliveries.ack(message(tag));
    deliveries.ack(message(2));
    await Promise.resolve();
    expect(broker.told).toEqual(['ack 3 and all before']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has told everything that has ended before the channel closes, in portions, though others have not', async () => {
    deliver(...Array.from({ length: 60 }, (_, index) => index + 1));
    deliveries.drain();
    for (let tag = 2; tag <= 60; tag++) deliveries.ack(message(tag));
    const finished = deliveries.finish();
    // A portion may just have left, and RabbitMQ takes no more than 32 at once.
    const portions = [];
    for (let ticks = 0; ticks < 3; ticks++) {
      const before = broker.told.length;
      await jest.advanceTimersByTimeAsync(100);
      portions.push(broker.told.length - before);
    }
    expect(portions).toEqual([24, 24, 11]);
    await finished;
    expect([...broker.outstanding]).toEqual([1]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('sends no second portion when one has just left', async () => {
    deliver(...Array.from({ length: 60 }, (_, index) => index + 1));
    deliveries.drain();
    for (let tag = 2; tag <= 60; tag++) deliveries.ack(message(tag));
    jest.advanceTimersByTime(100);
    const finished = deliveries.finish();
    await turn();
    expect(broker.told).toHaveLength(24);
    await jest.advanceTimersByTimeAsync(200);
    await finished;
    expect([...broker.outstanding]).toEqual([1]);
  });

  it('ends on a channel that is closed', async () => {
    deliver(1, 2);
    broker.ack = () => {
      throw new Error('Channel closed');
    };
    deliveries.drain();
    deliveries.ack(message(2));
    const finished = deliveries.finish();
    await jest.advanceTimersByTimeAsync(100);
    await finished;
    expect(jest.getTimerCount()).toBe(0);
  });
});
