import { closeChannel, type Connection, type Connections } from '../broker/connection';
import type { Delivery } from '../broker/deliveries';
import type { TopologyMode } from '../broker/options';
import { BrokerError, brokerProblem, type MercuryError } from '../errors';
import type { Events } from '../events';
import type { WorkerEvents } from '../tasks/events';
import type { WorkerOptions } from '../tasks/options';
import type { Task } from '../tasks/task';
import type { TaskSource } from '../tasks/task-source';
import { Worker } from '../tasks/worker';
import { asTask, keyOf } from './arrival';
import type { Binding } from './bindings';
import { durableQueueOf } from './options';
import type { BusEvent, Subscription, SubscriptionHost } from './subscription';

const BIND_AGAIN_MS = 10_000;

/** The rules by which a durable subscription works: those of a worker, with its defaults. */
export interface DurableSubscriptionOptions extends Pick<
  WorkerOptions,
  | 'capacity'
  | 'maxAttempts'
  | 'retryDelaysMs'
  | 'handlerTimeoutMs'
  | 'postpone'
  | 'drainTimeoutMs'
  | 'keyStore'
  | 'idempotencyTtlMs'
  | 'publishTimeoutMs'
  | 'logs'
> {
  /** Its name on this bus, without dots: the work queue is `<bus>.<durable>`. Who subscribes with the same name shares the events. */
  durable: string;
  /** Bindings that an older version of the subscription had: they are taken away. AMQP tells nobody which there are. */
  unbind?: readonly Binding[];
}

/** What the handler of a durable subscription gets: the event, and what it is here. */
export interface DurableEvent extends BusEvent {
  /** This event as a task of the subscription: its `id`, which is the same at each attempt, the `attempt`, the `signal` … `type` is the key. */
  task: Task;
}

export interface DurableSubscription extends Subscription {
  /** The work queue: for `DeadLetters`, and for operators. */
  readonly queueName: string;
  /** What becomes of each event, as with a worker. A `problem` is told to the bus as well. */
  readonly events: Events<WorkerEvents>;
  /** How many events are handled now, and most at once. */
  readonly runningCount: number;
  readonly capacity: number;
  /** Takes no more events, waits up to `drainTimeoutMs` for handlers that run. What comes from now on is kept. */
  close(): Promise<void>;
}

/** What a durable subscription needs of its bus. */
export interface DurableHost extends SubscriptionHost {
  readonly connections: Connections;
  readonly topology: TopologyMode;
}

/** A named subscription whose queue stays: a worker, whose tasks are events. */
export class WorkingSubscription implements DurableSubscription {
  readonly queueName: string;
  readonly ready: Promise<void>;
  private readonly source: BusSource;
  private readonly worker: EventWorker;
  private readonly bindingAgain: NodeJS.Timeout;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly host: DurableHost,
    readonly bindings: readonly Binding[],
    handler: (event: DurableEvent) => unknown,
    readonly options: DurableSubscriptionOptions,
  ) {
    const { durable, unbind = [], ...rules } = options;
    this.queueName = durableQueueOf(host.exchange, durable);
    this.source = new BusSource(host, this.queueName, bindings, unbind);
    const { connections, topology } = host;
    const workerOptions = { ...rules, connections, topology, queueName: this.queueName };
    this.worker = new EventWorker(workerOptions, this.source, handler);
    this.worker.events.on('problem', (problem) => host.onProblem(problem));
    // Closed before it was ready is no failure, as with a temporary one.
    this.ready = this.worker.start().catch((problem: MercuryError) => {
      if (problem.code !== 'STOPPED') throw problem;
    });
    // Told as a problem, too: who does not wait for it must not die of it.
    this.ready.catch(() => undefined);
    // An exchange that is deleted and declared again has lost its bindings, and tells nobody: binding again is harmless.
    this.bindingAgain = setInterval(() => void this.bindAgain(), BIND_AGAIN_MS);
  }

  get events(): Events<WorkerEvents> {
    return this.worker.events;
  }

  get runningCount(): number {
    return this.worker.runningCount;
  }

  get capacity(): number {
    return this.worker.capacity;
  }

  get problem(): MercuryError | undefined {
    return this.worker.problem;
  }

  close(): Promise<void> {
    clearInterval(this.bindingAgain);
    this.closing ??= this.worker.stop().finally(() => this.host.onClosed(this));
    return this.closing;
  }

  /** Never rejects. While the connection is lost there is nothing to do: with the next one it is bound anyway. */
  private async bindAgain(): Promise<void> {
    const { consuming } = this.host;
    if (!consuming.connected) return;
    try {
      await this.source.bind(consuming);
    } catch (cause) {
      if (consuming.connected) this.events.emit('problem', brokerProblem('Cannot bind; trying again', cause));
    }
  }
}

/** The bus, as where the tasks of a worker come from. */
class BusSource implements TaskSource {
  private isRefused = false;

  constructor(
    private readonly host: DurableHost,
    private readonly queueName: string,
    private readonly bindings: readonly Binding[],
    private readonly unbind: readonly Binding[],
  ) {}

  async bind(connection: Connection): Promise<void> {
    const { host, queueName } = this;
    if (host.topology === 'none' || this.isRefused) return;
    const channel = await connection.openChannel();
    try {
      await host.declareExchange(channel);
      for (const { key = '', headers } of this.bindings)
        await channel.bindQueue(queueName, host.exchange, key, headers);
      // After it: an event that fits an old binding and a new one must not fall in between.
      for (const { key = '', headers } of this.unbind)
        await channel.unbindQueue(queueName, host.exchange, key, headers);
    } catch (cause) {
      // An operator has bound it, or nobody has: no method of the protocol tells.
      if (host.topology !== 'check' || (cause as { code?: number }).code !== 403) throw cause;
      this.isRefused = true;
      host.onProblem(this.unbound(cause));
    } finally {
      await closeChannel(channel);
    }
  }

  private unbound(cause: unknown): BrokerError {
    const { exchange } = this.host;
    const keys = this.bindings.map(({ key = '' }) => key).join(',');
    const durable = this.queueName.slice(exchange.length + 1);
    const text =
      `This user may not bind "${this.queueName}" to "${exchange}", and whether somebody has cannot be seen: without it no event comes. ` +
      `Who may runs: mercury topology apply --subscription '${exchange}:${durable}:${keys}'`;
    return new BrokerError('BROKER_ACCESS_REFUSED', text, { cause });
  }

  received(delivery: Delivery): Delivery {
    return { ...delivery, message: asTask(delivery.message, this.host.exchange) };
  }
}

class EventWorker extends Worker {
  constructor(
    options: WorkerOptions,
    source: TaskSource,
    private readonly onEvent: (event: DurableEvent) => unknown,
  ) {
    super(options, source);
  }

  override handler(task: Task): unknown {
    const { headers, body: data } = task;
    return this.onEvent({ key: keyOf(headers), data, headers, task });
  }
}
