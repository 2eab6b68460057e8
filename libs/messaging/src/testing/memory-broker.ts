import { setImmediate } from 'node:timers';
import type { Options } from 'amqplib';
import type { Clock } from '../clock';
import { decodeJsonObject, identify } from '../codec';
import { MercuryError } from '../errors';
import type { JsonObject } from '../task';
import { deliveredProperties, messageOf } from './broker/stored-message';
import { VirtualHost } from './broker/virtual-host';
import { ManualClock } from './manual-clock';
import { MemoryConnections, type ConnectionHost } from './memory-connections';

/** Captured here: fake timers of a test must not stop the broker. */
const nextTurn = setImmediate;
const QUIET_TURNS = 3;
const IDLE_TIMEOUT_MS = 5_000;

/** A message that waits in a queue. */
export interface QueuedMessage {
  /** The task's id; made up at each look for a foreign message without one. */
  id: string;
  type: string;
  /** Undefined when it is no JSON object. */
  body: JsonObject | undefined;
  content: Buffer;
  headers: Readonly<Record<string, unknown>>;
}

/**
 * A broker within the process, for tests: the real library works on it, with everything that RabbitMQ does for Mercury's
 * queues, and with a clock that the test moves. It keeps nothing, and listens on no port. One suite of tests runs on it and
 * on real brokers, so that what passes here passes there; what it does not have is told in docs/testing.md.
 *
 * @example
 * const broker = new MemoryBroker();
 * const connections = broker.connect();
 * const worker = new ReportWorker({ connections, queueName: 'reports' });
 * await worker.start();
 * await new WorkerClient({ connections, queueName: 'reports' }).put({ type: 'report' });
 * await broker.untilIdle();
 * await broker.advance(60_000);                       // a minute passes: what waits in a retry level comes back
 * expect(broker.messages('reports.dead')).toEqual([]);
 */
export class MemoryBroker {
  private readonly time: ManualClock;
  private readonly virtualHost: VirtualHost;
  private works: (() => void)[] = [];
  private isScheduled = false;

  /** @param startAt where its clock begins, and stays until `advance`. Default: now. */
  constructor(startAt: Date = new Date()) {
    this.time = new ManualClock(startAt.getTime());
    this.virtualHost = new VirtualHost(this.time, () => this.schedule());
  }

  get clock(): Clock {
    return this.time;
  }

  /** Connections for one program: closing them, or cutting them, leaves those of others alone. */
  connect(): MemoryConnections {
    const { clock, virtualHost } = this;
    const host: ConnectionHost = { clock, virtualHost, later: (work) => this.later(work) };
    return new MemoryConnections(host);
  }

  /** What waits in a queue, in order; not what somebody has in hand. Empty for a queue that does not exist. */
  messages(queueName: string): QueuedMessage[] {
    const stored = this.virtualHost.queues.get(queueName)?.messages ?? [];
    return stored.map((message) => {
      const { content } = message;
      const { id, type, headers } = identify({ content, properties: deliveredProperties(message) } as never);
      const body = bodyOf(content);
      const { type: typeInBody } = body ?? {};
      return { id, type: type || (typeof typeInBody === 'string' ? typeInBody : ''), body, content, headers };
    });
  }

  /** Puts a message on a queue as a program does that knows nothing of Mercury. Nothing happens when there is no such queue. */
  send(queueName: string, content: string | Buffer, properties: Options.Publish = {}): void {
    this.later(() => {
      this.virtualHost.publish(messageOf({ exchange: '', routingKey: queueName }, Buffer.from(content), properties));
    });
  }

  /**
   * Resolves once nobody has a task or an event in hand any more, nor any that could be delivered. Delayed tasks that wait
   * do not count.
   * @throws MercuryError `STILL_BUSY` after `timeoutMs` (default 5,000) of the real time: a handler has not ended by then.
   */
  async untilIdle(timeoutMs = IDLE_TIMEOUT_MS): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    do {
      await this.untilQuiet(deadlineMs);
      if (performance.now() > deadlineMs) throw stillBusy(this.busyQueues, timeoutMs);
    } while (this.busyQueues.length > 0);
  }

  /**
   * Moves the clock on by so much. Whatever is due on the way happens at its time, one after the other, and is waited for.
   * @param options `whileBusy` lets time pass although handlers have not ended: for a test that holds one.
   * @throws MercuryError `STILL_BUSY` as `untilIdle`.
   */
  async advance(timeMs: number, { whileBusy = false } = {}): Promise<void> {
    const settled = () => (whileBusy ? this.untilQuiet(Infinity) : this.untilIdle());
    await settled();
    await this.time.advance(timeMs, settled);
    await settled();
  }

  /** Until nothing was asked of the broker for some turns of the event loop: what only had to be awaited is over then. */
  private async untilQuiet(deadlineMs: number): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS && performance.now() <= deadlineMs; turns++) {
      if (this.isScheduled) turns = -1;
      await new Promise<void>((resolve) => nextTurn(resolve));
    }
  }

  private later(work: () => void): void {
    this.works.push(work);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    nextTurn(() => {
      this.isScheduled = false;
      for (const work of this.works.splice(0)) work();
      this.virtualHost.buryAgain();
      this.virtualHost.deliver();
    });
  }

  /** Those whose messages are in hand, but for what waits for its time there. */
  private get busyQueues(): string[] {
    return [...this.virtualHost.queues.values()]
      .filter(({ name, inHandCount }) => inHandCount > 0 && !/\.(due|schedule)$/.test(name))
      .map(({ name }) => name);
  }
}

function bodyOf(content: Buffer): JsonObject | undefined {
  try {
    return decodeJsonObject(content);
  } catch {
    return undefined;
  }
}

function stillBusy(queues: readonly string[], timeoutMs: number): MercuryError {
  const what =
    queues.length > 0
      ? `messages of ${queues.join(', ')} are still in hand: has a handler not ended`
      : 'there is always something new: do tasks put tasks';
  const message = `After ${timeoutMs} ms ${what}?`;
  return new MercuryError('STILL_BUSY', message);
}
