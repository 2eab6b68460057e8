import 'reflect-metadata';
import { isatty } from 'node:tty';
import { Module, type BeforeApplicationShutdown, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Readiness } from './readiness';
import { runUntilSignal } from './shutdown';

jest.mock('node:tty', () => ({ isatty: jest.fn() }));

let signal: (name: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => void;
let exit: jest.SpiedFunction<typeof process.exit>;
let close: jest.Mock<Promise<void>>;
let app: INestApplicationContext;

beforeEach(() => {
  jest.useFakeTimers();
  const listeners = new Map<string | symbol, () => void>();
  jest.spyOn(process, 'on').mockImplementation((name, listener: () => void) => {
    listeners.set(name, listener);
    return process;
  });
  signal = (name) => listeners.get(name)?.();
  exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
  close = jest.fn(async () => undefined);
  app = { close, get: () => new Map() } as unknown as INestApplicationContext;
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const settle = () => jest.advanceTimersByTimeAsync(0);
const never = () => new Promise<void>(() => undefined);

describe('runUntilSignal', () => {
  it('ends a real application of Nest that has no HealthModule, after what it has to end', async () => {
    jest.useRealTimers();
    let ended = false;
    @Module({})
    class Slow implements BeforeApplicationShutdown {
      async beforeApplicationShutdown(): Promise<void> {
        await new Promise(setImmediate);
        ended = true;
      }
    }
    const exited = new Promise<number>((resolve) => exit.mockImplementation((code) => resolve(Number(code)) as never));
    await runUntilSignal(() => NestFactory.create(Slow, new FastifyAdapter(), { logger: false }));
    signal('SIGTERM');
    expect(await exited).toBe(0);
    expect(ended).toBe(true);
  });

  it('resolves to the application, and leaves it running', async () => {
    expect(await runUntilSignal(async () => app)).toBe(app);
    expect(close).not.toHaveBeenCalled();
    expect(exit).not.toHaveBeenCalled();
  });

  it('rejects when the application does not start', async () => {
    await expect(runUntilSignal(() => Promise.reject(new Error('no port')))).rejects.toThrow('no port');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('closes on %s, then ends with exit code 0', async (name) => {
    let closed: () => void = () => undefined;
    close.mockReturnValue(new Promise((resolve) => (closed = resolve)));
    await runUntilSignal(async () => app);
    signal(name);
    await settle();
    expect(close).toHaveBeenCalledTimes(1);
    expect(exit).not.toHaveBeenCalled();
    closed();
    await settle();
    expect(exit.mock.calls).toEqual([[0]]);
  });

  it('shuts an application down that is still starting, once it is started', async () => {
    let started: (app: INestApplicationContext) => void = () => undefined;
    void runUntilSignal(() => new Promise<INestApplicationContext>((resolve) => (started = resolve)));
    signal('SIGTERM');
    await settle();
    expect(exit).not.toHaveBeenCalled();
    started(app);
    await settle();
    expect(close).toHaveBeenCalledTimes(1);
    expect(exit.mock.calls).toEqual([[0]]);
  });

  it.each([
    [0, []],
    [500, []],
    [501, [[1]]],
    [60_000, [[1]]],
  ])('a second signal after %d ms: exits %j', async (laterMs, exits) => {
    close.mockImplementation(never);
    await runUntilSignal(async () => app);
    signal('SIGINT');
    await jest.advanceTimersByTimeAsync(laterMs);
    signal('SIGTERM');
    await settle();
    expect(exit.mock.calls).toEqual(exits);
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('counts the time from the first signal, not from the last', async () => {
    close.mockImplementation(never);
    await runUntilSignal(async () => app);
    for (let count = 0; count < 3; count++) {
      signal('SIGINT');
      await jest.advanceTimersByTimeAsync(300);
    }
    expect(exit.mock.calls).toEqual([[1]]);
  });

  it('first says that it is not ready, goes on for so long, and then closes', async () => {
    const readiness = new Readiness();
    const get = () => new Map([['health', { providers: new Map([[Readiness, { instance: readiness }]]) }]]);
    await runUntilSignal(async () => Object.assign(app, { get }), { delayMs: 10_000 });
    signal('SIGTERM');
    await settle();
    expect(readiness.isShuttingDown).toBe(true);
    await jest.advanceTimersByTimeAsync(9_999);
    expect(close).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(close).toHaveBeenCalledTimes(1);
    expect(exit.mock.calls).toEqual([[0]]);
  });

  it('is ended at once by a second signal, also while it goes on', async () => {
    await runUntilSignal(async () => app, { delayMs: 10_000 });
    signal('SIGTERM');
    await jest.advanceTimersByTimeAsync(501);
    signal('SIGTERM');
    expect(exit.mock.calls).toEqual([[1]]);
    expect(close).not.toHaveBeenCalled();
  });

  it.each([
    ['without a terminal goes on', false, false, 0],
    ['in a terminal that is still there goes on', true, true, 0],
    ['whose terminal is gone closes', true, false, 1],
  ])('on SIGHUP, %s', async (_what, hadTerminal, hasTerminal, closes) => {
    jest.mocked(isatty).mockReturnValueOnce(hadTerminal).mockReturnValue(hasTerminal);
    await runUntilSignal(async () => app);
    signal('SIGHUP');
    await settle();
    expect(close).toHaveBeenCalledTimes(closes);
  });

  it('ends with exit code 1, and says why, when the application cannot be closed', async () => {
    const said = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const error = new Error('stuck');
    close.mockRejectedValue(error);
    await runUntilSignal(async () => app);
    signal('SIGTERM');
    await settle();
    expect(exit.mock.calls).toEqual([[1]]);
    expect(said).toHaveBeenCalledWith(expect.any(String), error);
  });
});
