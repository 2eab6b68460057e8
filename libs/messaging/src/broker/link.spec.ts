import { EventEmitter, getEventListeners } from 'node:events';
import { connect, type Options } from 'amqplib';
import { ReconnectingLink } from './link';

jest.mock('amqplib');

/** What is used of amqplib's connection. */
class FakeModel extends EventEmitter {
  readonly connection = { stream: Object.assign(new EventEmitter(), { destroy: jest.fn() }) };
  readonly close = jest.fn(async () => void this.emit('close'));
}

interface Attempt {
  address: Options.Connect;
  options: { signal: AbortSignal; timeout?: number };
  succeed(model?: FakeModel): FakeModel;
  fail(error: Error): void;
}

const ADDRESSES = [{ hostname: 'a' }, { hostname: 'b' }];
let attempts: Attempt[];
let told: unknown[];
let link: ReconnectingLink;

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(1);
  attempts = [];
  told = [];
  jest.mocked(connect).mockImplementation(((address: Options.Connect, options: Attempt['options']) => {
    return new Promise((resolve, reject) => {
      options.signal.addEventListener('abort', () => reject(new Error('aborted')));
      const succeed = (model = new FakeModel()) => (resolve(model), model);
      attempts.push({ address, options, succeed, fail: reject });
    });
  }) as unknown as typeof connect);
  link = new ReconnectingLink(ADDRESSES, { timeout: 10_000 });
  link.events
    .on('up', (model) => told.push(['up', model]))
    .on('down', (cause) => told.push(['down', cause]))
    .on('failed', (cause) => told.push(['failed', cause]))
    .on('blocked', (reason) => told.push(['blocked', reason]))
    .on('unblocked', () => told.push(['unblocked']));
});
afterEach(async () => {
  await link.close();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const settle = () => jest.advanceTimersByTimeAsync(0);
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const latest = () => attempts.at(-1)!;

async function up(): Promise<FakeModel> {
  link.open();
  const model = latest().succeed();
  await settle();
  return model;
}

it('connects once it is opened, once however often that is asked for, with the options of the socket', async () => {
  await settle();
  expect(attempts).toEqual([]);
  link.open();
  link.open();
  expect(attempts).toMatchObject([{ address: { hostname: 'a' }, options: { timeout: 10_000 } }]);
  expect(link.model).toBeUndefined();
  const model = latest().succeed();
  await settle();
  expect(told).toEqual([['up', model]]);
  expect(link.model).toBe(model);
});

it('tries the addresses in turn, waits longer after each failure, up to 5 s, and begins anew after a success', async () => {
  link.open();
  const waits: number[] = [];
  for (let failures = 0; failures < 7; failures++) {
    const { length } = attempts;
    latest().fail(new Error('away'));
    await settle();
    let waitedMs = 0;
    for (; attempts.length === length; waitedMs += 50) await pass(50);
    waits.push(waitedMs);
  }
  expect(waits).toEqual([250, 450, 850, 1_650, 3_250, 5_050, 5_050]);
  expect(attempts.map(({ address }) => address.hostname).join('')).toBe('abababab');
  expect(told).toHaveLength(7);
  const model = latest().succeed();
  await settle();
  model.emit('close');
  await pass(249);
  expect(attempts).toHaveLength(8);
  await pass(1);
  expect(attempts).toHaveLength(9);
});

it('is down, and connects again, when the connection closes, with its reason', async () => {
  const model = await up();
  const cause = new Error('CONNECTION_FORCED');
  model.emit('error', cause);
  model.emit('close', cause);
  expect(link.model).toBeUndefined();
  expect(told.at(-1)).toEqual(['down', cause]);
  await pass(250);
  const second = latest().succeed();
  await settle();
  expect(attempts.map(({ address }) => address.hostname)).toEqual(['a', 'b']);
  expect(link.model).toBe(second);
});

it('tells when the broker takes nothing, and when it does again', async () => {
  const model = await up();
  model.emit('blocked', 'low on disk');
  model.emit('unblocked');
  expect(told.slice(1)).toEqual([['blocked', 'low on disk'], ['unblocked']]);
});

it('connects again when the connection has ended before anybody could hear of it', async () => {
  link.open();
  const dead = new FakeModel();
  // As amqplib leaves it.
  Object.assign(dead.connection, { sendMethod: () => undefined });
  latest().succeed(dead);
  await settle();
  expect(told).toEqual([['failed', expect.objectContaining({ message: 'The connection ended as it began.' })]]);
  expect(link.model).toBeUndefined();
  await pass(250);
  const model = latest().succeed();
  await settle();
  dead.emit('close', new Error('late'));
  expect(link.model).toBe(model);
  expect(told.map((each) => (each as string[])[0])).toEqual(['failed', 'up']);
});

describe('close', () => {
  it('ends a connection politely, and is told as no loss', async () => {
    const model = await up();
    await link.close();
    expect(model.close).toHaveBeenCalledTimes(1);
    expect(told).toHaveLength(1);
    expect(link.model).toBeUndefined();
    await pass(60_000);
    expect(attempts).toHaveLength(1);
    expect(latest().options.signal.aborted).toBe(false);
  });

  it('ends an attempt that is under way at once, and is told as no failure', async () => {
    link.open();
    const closed = link.close();
    expect(latest().options.signal.aborted).toBe(true);
    await closed;
    expect([told, jest.getTimerCount()]).toEqual([[], 0]);
  });

  it('ends a wait between two attempts at once', async () => {
    link.open();
    latest().fail(new Error('away'));
    await settle();
    await link.close();
    expect([attempts.length, jest.getTimerCount()]).toEqual([1, 0]);
  });

  it('leaves no connection behind that came about in that moment', async () => {
    link.open();
    const model = latest().succeed();
    model.connection.stream.destroy.mockImplementation(() => void model.emit('close'));
    const closed = link.close();
    await closed;
    expect(model.connection.stream.destroy).toHaveBeenCalled();
    expect([told, link.model]).toEqual([[], undefined]);
  });

  it('ends also when the connection dies before it is answered', async () => {
    const model = await up();
    model.close.mockImplementation(() => new Promise(() => undefined));
    const closed = link.close();
    model.emit('close', new Error('reset'));
    await closed;
    expect(told).toHaveLength(1);
  });

  it('leaves no socket behind: a blocked connection would wait until its bytes are taken', async () => {
    const model = await up();
    await link.close();
    expect(model.connection.stream.destroy).toHaveBeenCalledWith();
  });

  it('before it was opened lets it never connect', async () => {
    await link.close();
    link.open();
    await settle();
    expect(attempts).toEqual([]);
  });

  it('leaves no listener of its attempts behind', async () => {
    for (let round = 0; round < 5; round++) {
      const model = await up();
      model.emit('close');
      await pass(300);
    }
    const { closing } = link as unknown as { closing: AbortController };
    // That of the attempt which is under way now.
    expect(getEventListeners(closing.signal, 'abort')).toHaveLength(1);
  });
});
