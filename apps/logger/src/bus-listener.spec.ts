import { FakeLink } from '../../../test/support/fake-link';
import { Connection, type JsonObject, type Level } from '@mercury/messaging';
import type { MessagingConnections } from '@mercury/messaging/nest';
import { BusListener } from './bus-listener';
import { LoggerEnvironment } from './logger.config';
import type { Sink } from './sinks';

/** A connection that never comes: nothing here needs one. */
const never = new Connection(new FakeLink());
const connections = { publishing: never, consuming: never } as MessagingConnections;

class MemorySink implements Sink {
  readonly problem = undefined;

  constructor(
    readonly name: string,
    readonly levels: readonly Level[],
    private readonly journal: unknown[],
  ) {}

  async write(level: Level, data: JsonObject): Promise<void> {
    this.journal.push([this.name, level, data]);
  }

  async close(): Promise<void> {
    this.journal.push(`${this.name} closed`);
  }
}

class TestedListener extends BusListener {
  constructor(
    sinks: Sink[],
    private readonly journal: unknown[],
  ) {
    super(connections, new LoggerEnvironment(), sinks);
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.journal.push('unsubscribed');
  }
}

describe('BusListener', () => {
  let journal: unknown[];
  let listener: BusListener;

  beforeEach(() => {
    journal = [];
    const sinks = [
      new MemorySink('all', ['info', 'critical'], journal),
      new MemorySink('alarms', ['critical'], journal),
      new MemorySink('none', [], journal),
    ];
    listener = new TestedListener(sinks, journal);
  });

  it('gives an info event to the sinks that take info', () => {
    void listener.handleInfo({ a: 1 });
    expect(journal).toEqual([['all', 'info', { a: 1 }]]);
  });

  it('gives a critical event to every sink that takes critical', () => {
    void listener.handleCritical({ a: 1 });
    expect(journal).toEqual([
      ['all', 'critical', { a: 1 }],
      ['alarms', 'critical', { a: 1 }],
    ]);
  });

  it('unsubscribes before it closes the sinks: an event in between would be lost', async () => {
    await listener.onApplicationShutdown();
    expect(journal).toEqual(['unsubscribed', 'all closed', 'alarms closed', 'none closed']);
  });
});
