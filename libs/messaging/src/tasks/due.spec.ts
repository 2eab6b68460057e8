import { EventEmitter } from 'node:events';
import type { ConfirmChannel, Message } from 'amqplib';
import type { Delivery } from '../broker/deliveries';
import { systemClock } from '../clock';
import type { MercuryError } from '../errors';
import { DueTasks } from './due';

const NOW_MS = 1_800_000_000_000;

/** Records in one list what is asked of the broker and of settlement, in its order. */
let log: string[];

class FakeChannel extends EventEmitter {
  private deliver: (message: Message | null) => void = () => undefined;

  prefetch(count: number): void {
    log.push(`prefetch ${count}`);
  }

  async consume(queue: string, onMessage: (message: Message | null) => void): Promise<void> {
    log.push(`consume ${queue}`);
    this.deliver = onMessage;
  }

  async cancel(): Promise<void> {
    log.push('cancel');
  }

  async close(): Promise<void> {
    log.push('close');
    this.emit('close');
  }

  /** A task whose time comes in so many milliseconds, or with exactly these headers. */
  arrive(id: string, left: number | Record<string, unknown>): void {
    const headers = typeof left === 'number' ? { 'x-not-before-ms': Date.now() + left } : left;
    const properties = { messageId: id, headers };
    this.deliver({ content: Buffer.from('{}'), fields: {}, properties } as unknown as Message);
  }

  cancelByBroker(): void {
    this.deliver(null);
  }
}

let channels: FakeChannel[];
let problems: MercuryError[];
let leaving: AbortController;
let gone: AbortController;
/** How `sendOn` ends. */
let sending: () => Promise<boolean>;
let declaring: () => Promise<void>;
let due: DueTasks;
let forwarding: Promise<void>;

const settled = () => jest.advanceTimersByTimeAsync(0);
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

function channel(index = 0): FakeChannel {
  const found = channels[index];
  if (!found) throw new Error(`Only ${channels.length} channels were opened.`);
  return found;
}

beforeEach(async () => {
  jest.useFakeTimers({ now: NOW_MS });
  [log, channels, problems] = [[], [], []];
  [leaving, gone] = [new AbortController(), new AbortController()];
  sending = async () => true;
  declaring = async () => undefined;
  const settlement = {
    settle: async ({ lost }: Delivery, { id }: { id: string }, { kind }: { kind: string }) => {
      log.push(`${kind} ${id}${lost.aborted ? ' lost' : ''}`);
      return !lost.aborted;
    },
    sendOn: ({ lost }: Delivery, { id }: { id: string }, notBeforeMs: number | undefined) => {
      const to = notBeforeMs === undefined ? 'the work queue' : `wait ${notBeforeMs - Date.now()}`;
      log.push(`${id} to ${to}${lost.aborted ? ' lost' : ''}`);
      return sending();
    },
  };
  due = new DueTasks('reports', settlement, {
    clock: systemClock,
    leaving: leaving.signal,
    openChannel: async () => {
      channels.push(new FakeChannel());
      return channels.at(-1) as unknown as ConfirmChannel;
    },
    declare: () => {
      log.push('declare');
      return declaring();
    },
    onProblem: (problem) => problems.push(problem),
  });
  forwarding = due.forward(gone.signal);
  await settled();
});

afterEach(async () => {
  gone.abort();
  await forwarding;
  jest.useRealTimers();
});

it('consumes what is due on a channel of its own, a bounded number at once', () => {
  expect(log).toEqual(['prefetch 100', 'consume reports.due']);
  expect(due.problem).toBeUndefined();
});

describe('a delayed task', () => {
  beforeEach(() => (log.length = 0));

  it('goes to a level at once when a level fits into the time left', async () => {
    channel().arrive('a', 1_000);
    await settled();
    expect(log).toEqual(['a to wait 1000']);
  });

  it('is held when less than a level is left, until its time has come', async () => {
    channel().arrive('a', 999);
    channel().arrive('b', 1);
    await pass(1);
    expect(log).toEqual(['b to the work queue']);
    await pass(997);
    expect(log).toHaveLength(1);
    await pass(1);
    expect(log).toEqual(['b to the work queue', 'a to the work queue']);
  });

  it('is held on when the timer ends before the time has come by the clock', async () => {
    channel().arrive('a', 500);
    jest.setSystemTime(NOW_MS - 300);
    await pass(799);
    expect(log).toEqual([]);
    await pass(1);
    expect(log).toEqual(['a to the work queue']);
  });

  it('goes to a level again when the clock was set back meanwhile', async () => {
    channel().arrive('a', 500);
    jest.setSystemTime(NOW_MS - 60_000);
    await pass(500);
    expect(log).toEqual(['a to wait 60000']);
  });

  it.each([
    ['is past', -5],
    ['is not said', {}],
    ['is no number', { 'x-not-before-ms': 'tomorrow' }],
    ['is out of reach', { 'x-not-before-ms': NOW_MS * 1_000 }],
  ])('goes to the work queue at once when its time %s', async (_what, left) => {
    channel().arrive('a', left);
    await settled();
    expect(log).toEqual(['a to the work queue']);
  });

  it('is kept when it cannot be settled for a fault of our own, and this is told', async () => {
    sending = () => Promise.reject(new TypeError('a bug'));
    channel().arrive('a', 0);
    await settled();
    expect(problems).toMatchObject([{ code: 'NOT_SETTLED' }]);
  });
});

describe('when the worker is told to stop', () => {
  beforeEach(() => (log.length = 0));

  it('cancels first, then gives back what it holds, and waits for what is being sent', async () => {
    let confirm: () => void = () => undefined;
    sending = () => new Promise((resolve) => (confirm = () => resolve(true)));
    channel().arrive('sent', 0);
    channel().arrive('held', 900);
    await settled();
    const over = jest.fn();
    void forwarding.then(over);
    leaving.abort();
    await settled();
    channel().arrive('late', 0);
    await pass(10_000);
    expect(log).toEqual(['sent to the work queue', 'cancel', 'released held', 'released late']);
    expect(over).not.toHaveBeenCalled();
    confirm();
    await settled();
    expect(over).toHaveBeenCalled();
    expect(log.at(-1)).toBe('close');
  });

  it('does not begin', async () => {
    leaving.abort();
    await forwarding;
    log.length = 0;
    await due.forward(gone.signal);
    expect(log).toEqual([]);
  });
});

describe('a consumer that ends', () => {
  it.each<[string, () => unknown]>([
    ['because the broker cancels it', () => channel().cancelByBroker()],
    ['because its channel closes', () => channel().emit('close')],
  ])('%s gives up what it holds, and comes back after declaring its queue again', async (_why, end) => {
    channel().arrive('held', 900);
    log.length = 0;
    end();
    await settled();
    expect(log).toContain('released held lost');
    expect(due.problem).toMatchObject({ code: 'BROKER_CHANNEL_LOST' });
    expect(problems).toEqual([due.problem]);
    await pass(300);
    expect(log.slice(-3)).toEqual(['declare', 'prefetch 100', 'consume reports.due']);
    expect(due.problem).toBeUndefined();
    channel(1).arrive('held', 0);
    await settled();
    expect(log.at(-1)).toBe('held to the work queue');
  });

  it('tries until its queue can be declared, and says meanwhile why it cannot', async () => {
    declaring = () => Promise.reject(new Error('not now'));
    channel().cancelByBroker();
    await pass(60_000);
    expect(due.problem?.message).toContain('not now');
    expect(channels).toHaveLength(1);
    declaring = async () => undefined;
    await pass(6_000);
    expect(channels).toHaveLength(2);
    expect(due.problem).toBeUndefined();
  });

  it('ends at once when the worker itself has lost the broker, and leaves the problem to it', async () => {
    sending = () => new Promise(() => undefined);
    channel().arrive('held', 900);
    log.length = 0;
    gone.abort();
    await forwarding;
    expect(log).toEqual(['cancel', 'released held lost', 'close']);
    expect([due.problem, problems]).toEqual([undefined, []]);
  });
});
