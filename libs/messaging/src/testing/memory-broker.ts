import type { Options } from 'amqplib';
import { delayLevelMs, notBeforeMsOf } from '../broker/delay';
import { dueQueueOf, scheduleQueueOf } from '../broker/topology';
import type { Clock } from '../clock';
import { ConfigError } from '../errors';
import { HEADER } from '../headers';
import { decodeJsonObject, identify } from '../tasks/codec';
import type { JsonObject } from '../tasks/task';
import type { Queue } from './broker/queue';
import { deliveredProperties, messageOf, type StoredMessage } from './broker/stored-message';
import { VirtualHost } from './broker/virtual-host';
import { ManualClock } from './manual-clock';
import { MemoryConnections } from './memory-connections';
import { ALWAYS_NEW, Patience } from './patience';
import { realTime } from './real-time';
import { Turns } from './turns';

const QUIET_TURNS = 3;
const IDLE_TIMEOUT_MS = 5_000;

export interface IdleOptions {
  /** So long, in milliseconds of the real time, nothing may get on before it is an error. Default 5,000. */
  timeoutMs?: number;
}

export interface AdvanceOptions extends IdleOptions {
  /** Lets time pass although handlers have not ended: for a test that holds one. Default false. */
  whileBusy?: boolean;
}

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
  private readonly turns = new Turns(() => {
    this.virtualHost.buryAgain();
    this.virtualHost.deliver();
  });
  private advanced: Promise<void> = Promise.resolve();

  /**
   * @param startAt where its clock begins, and stays until `advance`. Default: now.
   * @throws ConfigError `CONFIG_INVALID` for a date that is none.
   */
  constructor(startAt: Date = new Date()) {
    if (Number.isNaN(startAt.getTime())) throw new ConfigError('MemoryBroker', ['startAt must be a valid date']);
    this.time = new ManualClock(startAt.getTime());
    this.virtualHost = new VirtualHost(this.time, () => this.turns.wake());
  }

  get clock(): Clock {
    return this.time;
  }

  /** Connections for one program: closing them, or cutting them, leaves those of others alone. */
  connect(): MemoryConnections {
    return new MemoryConnections({ virtualHost: this.virtualHost, later: (work) => this.turns.later(work) });
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
    const message = messageOf({ exchange: '', routingKey: queueName }, Buffer.from(content), properties);
    this.turns.later(() => void this.virtualHost.publish(message));
  }

  /**
   * Resolves once nobody has a task or an event in hand any more, nor any that could be delivered, and whoever lost its
   * connections consumes again. Delayed tasks that wait do not count.
   * @throws MercuryError `STILL_BUSY` when nothing has got on for `timeoutMs`: a handler has not ended by then. Also after
   * 12 times as long, when there is always something new.
   */
  untilIdle({ timeoutMs }: IdleOptions = {}): Promise<void> {
    return this.untilSettled({ timeoutMs });
  }

  /**
   * Moves the clock on by so much. Whatever is due on the way happens at its time, one after the other, and is waited for.
   * Calls at the same time are done one after the other.
   * @throws MercuryError `STILL_BUSY` as `untilIdle`, at each step. @throws ConfigError `CONFIG_INVALID` for a time that is none.
   */
  advance(timeMs: number, options: AdvanceOptions = {}): Promise<void> {
    const move = async () => {
      if (!(Number.isFinite(timeMs) && timeMs >= 0))
        throw new ConfigError('advance', [`timeMs must be a number of milliseconds, 0 or more, not ${timeMs}`]);
      const untilQuiet = () => this.untilSettled(options);
      await untilQuiet();
      await this.time.advance(timeMs, untilQuiet);
      await untilQuiet();
    };
    const moved = this.advanced.then(move);
    this.advanced = moved.catch(() => undefined);
    return moved;
  }

  private async untilSettled({ timeoutMs = IDLE_TIMEOUT_MS, whileBusy = false }: AdvanceOptions): Promise<void> {
    const patience = new Patience(timeoutMs, () => this.virtualHost.endedCount);
    await this.untilQuiet(patience);
    for (let why = this.whyBusy(whileBusy); why !== undefined; why = this.whyBusy(whileBusy)) {
      // Told once: who was stopped instead never comes back.
      patience.check(why, () => this.virtualHost.lostConsumers.clear());
      await realTime.pause();
      await this.untilQuiet(patience);
    }
  }

  /** Until nothing was asked of the broker for some turns of the event loop: what only had to be awaited is over then. */
  private async untilQuiet(patience: Patience): Promise<void> {
    let quietTurns = 0;
    while (quietTurns < QUIET_TURNS) {
      if (this.turns.isAwake) patience.check(ALWAYS_NEW);
      quietTurns = this.turns.isAwake ? 0 : quietTurns + 1;
      await realTime.nextTurn();
    }
  }

  private whyBusy(whileBusy: boolean): string | undefined {
    const { queues, lostConsumers } = this.virtualHost;
    const inHand = [...queues.values()].filter((queue) => queue.inHand.some((message) => !this.waits(message, queue)));
    if (inHand.length > 0 && !whileBusy)
      return `messages of ${namesOf(inHand)} are still in hand: has a handler not ended?`;
    if (lostConsumers.queueNames.length > 0)
      return `nobody has come back to ${[...new Set(lostConsumers.queueNames)].join(', ')} since connections were cut: of a program that was stopped, close them.`;
    return undefined;
  }

  /** Whether a worker or a scheduler has it in hand until its time. A queue's name alone says nothing: it may be a work queue's. */
  private waits({ properties }: StoredMessage, { name, options }: Queue): boolean {
    const workQueue = name.slice(0, name.lastIndexOf('.'));
    if (!this.virtualHost.queues.has(workQueue) || 'x-dead-letter-exchange' in options.args) return false;
    if (name === scheduleQueueOf(workQueue)) return true;
    if (name !== dueQueueOf(workQueue)) return false;
    // One that is due, or has a level to go to, is on its way.
    const nowMs = this.time.nowMs();
    const remainingMs = notBeforeMsOf(properties.headers?.[HEADER.notBeforeMs], nowMs) - nowMs;
    return remainingMs > 0 && delayLevelMs(remainingMs) === undefined;
  }
}

function namesOf(queues: readonly Queue[]): string {
  return queues.map(({ name }) => name).join(', ');
}

function bodyOf(content: Buffer): JsonObject | undefined {
  try {
    return decodeJsonObject(content);
  } catch {
    return undefined;
  }
}
