import { EventEmitter, getEventListeners } from 'node:events';
import { FakeLink } from '../../../../test/support/fake-link';
import { BrokerError } from '../errors';
import { controllerForMany } from '../signals';
import { Connection, brokerOf, type Connections } from './connection';
import { reportProblems, useConnections } from './connections';
import type { ResolvedBroker } from './options';

let link: FakeLink;
let connection: Connection;

beforeEach(() => {
  link = new FakeLink();
  connection = over(link);
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

function over(given: FakeLink): Connection {
  return new Connection(given);
}

it('gives no channel whose frames are too small for the headers of tasks, and says what to do', async () => {
  link.connect({ connection: { frameMax: 4_096 }, createConfirmChannel: async () => new EventEmitter() });
  await expect(connection.openChannel()).rejects.toMatchObject({
    code: 'BROKER_FRAME_TOO_SMALL',
    message: expect.stringContaining('raise frameMax of rabbitUrl') as string,
  });
  link.connect({ connection: { frameMax: 8_192 }, createConfirmChannel: async () => new EventEmitter() });
  await expect(connection.openChannel()).resolves.toBeInstanceOf(EventEmitter);
});

describe('the problem of a connection', () => {
  it('is that it is not connected yet, until it is', () => {
    expect(connection).toMatchObject({ connected: false, problem: { code: 'BROKER_UNREACHABLE' } });
    link.connect();
    expect(connection).toMatchObject({ connected: true, problem: undefined });
  });

  it('is none where the link was connected before', () => {
    const earlier = new FakeLink();
    earlier.connect();
    expect(over(earlier).problem).toBeUndefined();
  });

  it('comes with an outage and goes when it is over', () => {
    const heard: string[] = [];
    connection.events.on('down', (problem) => heard.push(`down ${problem.code}`)).on('up', () => heard.push('up'));
    link.connect();
    link.lose(new Error('Heartbeat timeout'));
    expect(connection.problem?.message).toContain('Heartbeat timeout');
    link.connect();
    expect(connection.problem).toBeUndefined();
    expect(heard).toEqual(['up', 'down BROKER_UNREACHABLE', 'up']);
  });

  it('is that of the broker where the connection was there before, and blocked', () => {
    const earlier = new FakeLink();
    earlier.connect({ connection: { blocked: true } });
    expect(over(earlier).problem?.code).toBe('BROKER_BLOCKED');
  });

  it('comes with an alarm of the broker and goes with it', () => {
    link.connect();
    link.events.emit('blocked', 'low on memory');
    expect(connection.problem).toMatchObject({
      code: 'BROKER_BLOCKED',
      message: expect.stringContaining('low on memory') as string,
    });
    link.events.emit('unblocked');
    expect(connection.problem).toBeUndefined();
  });

  it.each([
    ['Handshake terminated by server: 403 (ACCESS-REFUSED) with message "…"', 'BROKER_ACCESS_REFUSED'],
    ['ACCESS_REFUSED - Login was refused', 'BROKER_ACCESS_REFUSED'],
    ['connect ECONNREFUSED 127.0.0.1:5672', 'BROKER_UNREACHABLE'],
    ['connect ECONNREFUSED 127.0.0.1:14032', 'BROKER_UNREACHABLE'],
    ['getaddrinfo ENOTFOUND rabbit', 'BROKER_UNREACHABLE'],
    ['Expected ConnectionOpenOk; got <ConnectionClose channel:0>', 'BROKER_ACCESS_REFUSED'],
  ])('after "%s" is %s, and never shows the password', (message, code) => {
    const failed: BrokerError[] = [];
    connection.events.on('failed', (problem) => failed.push(problem));
    link.events.emit('failed', new Error(message));
    expect(failed).toEqual([connection.problem]);
    expect(failed[0]).toBeInstanceOf(BrokerError);
    expect(failed[0]).toMatchObject({ code, cause: { message } });
    expect(String(failed[0])).not.toContain('hunter2');
  });
});

describe('untilConnected', () => {
  it('resolves once connected, and at once if it is', async () => {
    const waiting = connection.untilConnected(new AbortController().signal);
    link.connect();
    await waiting;
    await connection.untilConnected(new AbortController().signal);
  });

  it('rejects with the reason of a signal that aborts first, or did before', async () => {
    const abort = new AbortController();
    const waiting = connection.untilConnected(abort.signal);
    const reason = new Error('stopped');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    link.connect();
    await expect(connection.untilConnected(abort.signal)).rejects.toBe(reason);
  });

  it('leaves no listener behind, neither on the signal nor on the connection', async () => {
    const { emitter } = connection.events as unknown as { emitter: EventEmitter };
    const [stays, aborts] = [controllerForMany(), controllerForMany()];
    for (let round = 0; round < 50; round++) void connection.untilConnected(stays.signal);
    for (let round = 0; round < 50; round++) connection.untilConnected(aborts.signal).catch(() => undefined);
    aborts.abort();
    link.connect();
    for (const { signal } of [stays, aborts]) expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(emitter.listenerCount('up')).toBe(0);
  });
});

describe('openChannel', () => {
  it('gives a channel whose errors never crash the process', async () => {
    const channel = new EventEmitter();
    link.connect({ createConfirmChannel: async () => channel });
    expect(await connection.openChannel()).toBe(channel);
    expect(() => channel.emit('error', new Error('404'))).not.toThrow();
  });

  it('without a connection rejects with the reason why there is none', async () => {
    link.events.emit('failed', new Error('connect ECONNREFUSED'));
    await expect(connection.openChannel()).rejects.toBe(connection.problem);
  });

  it('rejects when the broker gives none, and keeps the cause', async () => {
    const cause = new Error('No channels left to allocate');
    link.connect({ createConfirmChannel: () => Promise.reject(cause) });
    await expect(connection.openChannel()).rejects.toMatchObject({ code: 'BROKER_CHANNEL_LOST', cause });
  });
});

describe('close', () => {
  it('closes once, however often it is called, and leaves no timer', async () => {
    jest.useFakeTimers();
    await Promise.all([connection.close(), connection.close()]);
    expect(link.closes).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('after 3 s ends the socket of a broker that does not answer', async () => {
    jest.useFakeTimers();
    const destroy = jest.fn();
    link.connect({
      connection: { stream: Object.assign(new EventEmitter(), { destroy, bytesRead: 0, write: jest.fn() }) },
    });
    link.whenClosed = new Promise(() => undefined);
    const closed = connection.close();
    await jest.advanceTimersByTimeAsync(2_999);
    expect(destroy).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    await closed;
    expect(destroy).toHaveBeenCalledWith(expect.any(Error));
  });
});

describe('a silent broker', () => {
  class FakeSocket extends EventEmitter {
    bytesRead = 0;
    readonly write = jest.fn();
    readonly destroy = jest.fn((_error: Error) => void this.emit('close'));
  }

  it.each([
    [60, 115_000, 10_000],
    [0, 3_600_000, undefined],
  ])('with a heartbeat of %d s is given up by what was agreed on', (heartbeat, patientMs, thenMs) => {
    jest.useFakeTimers();
    const stream = new FakeSocket();
    link.connect({ connection: { stream, heartbeat } });
    jest.advanceTimersByTime(patientMs);
    expect(stream.destroy).not.toHaveBeenCalled();
    if (thenMs === undefined) return;
    jest.advanceTimersByTime(thenMs);
    expect(stream.destroy).toHaveBeenCalledTimes(1);
  });

  it('is given up after two heartbeats without a byte, and not before', () => {
    jest.useFakeTimers();
    const stream = new FakeSocket();
    link.connect({ connection: { stream, heartbeat: 15 } });
    for (let beat = 0; beat < 10; beat++) {
      jest.advanceTimersByTime(25_000);
      stream.bytesRead += 8;
    }
    expect(stream.destroy).not.toHaveBeenCalled();
    jest.advanceTimersByTime(36_000);
    expect(stream.destroy).toHaveBeenCalledTimes(1);
    expect(stream.destroy.mock.calls[0]?.[0].message).toBe('The broker has been silent for 30 s.');
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('reportProblems tells a problem once while it lasts, and again when it comes again', () => {
  const told: string[] = [];
  reportProblems(connection, ({ code }) => told.push(code));
  for (let failures = 0; failures < 3; failures++) link.events.emit('failed', new Error('away'));
  link.events.emit('failed', new Error('403 ACCESS-REFUSED'));
  link.connect();
  link.events.emit('failed', new Error('403 ACCESS-REFUSED'));
  expect(told).toEqual(['BROKER_UNREACHABLE', 'BROKER_ACCESS_REFUSED', 'BROKER_ACCESS_REFUSED']);
});

describe('useConnections', () => {
  const none: ResolvedBroker = {
    urls: [],
    tls: undefined,
    link: undefined,
    connections: undefined,
    topology: 'declare',
  };

  it('leaves connections of somebody else open', async () => {
    const connections: Connections = { publishing: connection, consuming: connection };
    const use = useConnections({ ...none, connections }, 'test', () => undefined);
    expect(use.connections).toBe(connections);
    await use.close();
    expect(link.closes).toBe(0);
  });

  it('opens its own only when they are used, one for each purpose', async () => {
    const open = jest.spyOn(Connection, 'open').mockImplementation(() => over(link));
    const broker: ResolvedBroker = { ...none, urls: ['amqp://a'] };
    const use = useConnections(broker, 'client reports', () => undefined);
    expect(open).not.toHaveBeenCalled();
    expect(use.connections.publishing).toBe(use.connections.publishing);
    expect(open.mock.calls).toEqual([[broker, 'client reports publishing']]);
    expect(use.connections.consuming).not.toBe(use.connections.publishing);
    await use.close();
    expect(link.closes).toBe(2);
  });
});

it('sets every connection up alike: 15 s heartbeat, no Nagle, 10 s to connect, a name to be found by', () => {
  const makeLink = jest.fn(() => link);
  const urls = ['amqp://a', 'amqp://a?heartbeat=60'];
  Connection.open({ urls, tls: { serverName: 'rabbit' }, link: makeLink }, 'client reports');
  const [addresses, options, purpose] = makeLink.mock.calls[0] as unknown as [{ heartbeat: number }[], object, string];
  expect(addresses.map(({ heartbeat }) => heartbeat).sort()).toEqual([15, 60]);
  expect(options).toMatchObject({
    noDelay: true,
    keepAlive: true,
    timeout: 10_000,
    servername: 'rabbit',
    clientProperties: { connection_name: expect.stringMatching(/^mercury client reports .+:\d+$/) as string },
  });
  expect(purpose).toBe('client reports');
});

it('brokerOf names a broker and who uses it, without the password, whatever the order of the URLs', () => {
  const urls = ['amqp://ada:hush@a:1/shop?heartbeat=5', 'amqps://ada:hush@b'];
  expect(brokerOf(urls)).toBe('amqp://ada@a:1/shop amqps://ada@b');
  expect(brokerOf([...urls].reverse())).toBe(brokerOf(urls));
  expect(brokerOf(['amqp://ben:hush@a:1/shop', 'amqps://ben:hush@b'])).not.toBe(brokerOf(urls));
});
