import { Logger as NestLogger } from '@nestjs/common';
import { Connection, Logger, type Outcome, type SettledAttempt, Worker } from '@mercury/messaging';
import type { HandlerWorker } from '@mercury/messaging/nest';
import { FakeLink } from '../../../test/support/fake-link';
import { TaskReports } from './task-reports';

/** A connection that never comes: nothing here needs one. */
const never = new Connection(new FakeLink());
const connections = { publishing: never, consuming: never };

class QuietWorker extends Worker {
  override handler(): void {}
}

/** Keeps what it is to publish, or fails as a bus does whose broker is away. */
class RecordedBus extends Logger {
  readonly published: [level: string, data: object][] = [];
  away = false;

  override info(data: object): Promise<void> {
    return this.take('info', data);
  }

  override critical(data: object): Promise<void> {
    return this.take('critical', data);
  }

  private async take(level: string, data: object): Promise<void> {
    if (this.away) throw new Error('the broker is away');
    this.published.push([level, data]);
  }
}

const attempt = (outcome: Outcome): SettledAttempt => ({
  id: 'order-4711',
  type: 'webhook.deliver',
  attempt: 2,
  queue: 'tasks',
  outcome,
  durationMs: 12.3456,
});

const about = { id: 'order-4711', type: 'webhook.deliver', attempt: 2, queue: 'tasks', durationMs: 12 };
const failure = { code: 'WEBHOOK_STATUS_4XX', message: 'answered 404' };

describe('TaskReports', () => {
  const warnings: unknown[] = [];
  const skips: unknown[] = [];
  const details: unknown[] = [];
  const silent = {
    log: (message: unknown) => void skips.push(message),
    error() {},
    debug: (message: unknown) => void details.push(message),
    warn: (message: unknown) => void warnings.push(message),
  };
  let bus: RecordedBus;
  let worker: QuietWorker;

  beforeAll(() => {
    NestLogger.overrideLogger(silent);
  });

  afterAll(() => {
    NestLogger.overrideLogger(true);
  });

  beforeEach(() => {
    warnings.length = 0;
    details.length = 0;
    bus = new RecordedBus({ connections, name: 'logs' });
    worker = new QuietWorker({ connections, queueName: 'tasks' });
    // Of the transport they listen to the events only.
    new TaskReports({ events: worker.events } as HandlerWorker, bus).onModuleInit();
  });

  it('tells a success as an info event', () => {
    const log = [{ atMs: 1, level: 'info' as const, message: 'begun' }];
    worker.events.emit('settled', { ...attempt({ kind: 'success' }), log });
    expect(bus.published).toEqual([['info', { event: 'task.succeeded', ...about }]]);
  });

  it('tells a dead task as a critical event, with the reason', () => {
    worker.events.emit('settled', attempt({ kind: 'dead', failure }));
    expect(bus.published).toEqual([['critical', { event: 'task.dead', ...about, ...failure }]]);
  });

  it('says nothing of a retry, of which the worker itself tells the log', () => {
    worker.events.emit('settled', attempt({ kind: 'retry', levelMs: 1_000, failure }));
    expect(bus.published).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('writes of a postponement in the log only, where only who looks for it sees it', () => {
    const reason = { code: 'LOCKED', message: 'Order 7 is locked.' };
    worker.events.emit('settled', attempt({ kind: 'postponed', delayMs: 60_000, reason }));
    expect([...bus.published, ...warnings]).toEqual([]);
    expect(details).toEqual([{ msg: 'task postponed', ...about, ...reason, inMs: 60_000 }]);
  });

  it('writes of a task that has succeeded before in the log only', () => {
    const { signal } = new AbortController();
    const { id, type, attempt, queue } = about;
    const limits = { maxAttempts: 6, isLastAttempt: false };
    const rest = { tags: [], body: {}, enqueuedAtMs: 1, headers: {}, signal, log: () => undefined };
    worker.events.emit('skipped', { id, type, attempt, queue, ...limits, ...rest });
    expect(bus.published).toEqual([]);
    expect(skips).toContainEqual({ msg: 'task skipped: it has succeeded before', id, type, queue });
  });

  it('says nothing of a task that was given back untouched', () => {
    worker.events.emit('settled', attempt({ kind: 'released' }));
    expect([...bus.published, ...warnings]).toEqual([]);
  });

  it('only counts what a bus that is away did not take, and goes on', async () => {
    bus.away = true;
    worker.events.emit('settled', attempt({ kind: 'success' }));
    worker.events.emit('settled', attempt({ kind: 'success' }));
    await new Promise(setImmediate);
    expect(warnings).toEqual([
      expect.stringContaining('1 so far): Error: the broker is away'),
      expect.stringContaining('2 so far): Error: the broker is away'),
    ]);
    bus.away = false;
    worker.events.emit('settled', attempt({ kind: 'success' }));
    expect(bus.published).toHaveLength(1);
  });
});
