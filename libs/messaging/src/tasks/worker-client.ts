import { useConnections, type BrokerUse } from '../broker/connections';
import { delayLevelMs } from '../broker/delay';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { EXCHANGE, declareTaskTopology, waitingQueueOf } from '../broker/topology';
import { ConfigError, PublishError, type BrokerError, type MercuryError } from '../errors';
import { Events } from '../events';
import { LinkedSignal, controllerForMany } from '../signals';
import { encodeTask } from './codec';
import { fitNew } from './frame-fit';
import { resolveClient, type ResolvedClient, type WorkerClientOptions } from './options';
import {
  PutAll,
  putList,
  type OnOutcome,
  type PutAllOptions,
  type PutCounts,
  type PutItem,
  type PutOutcome,
} from './put-all';
import type { PutOptions } from './put-options';

const DRAIN_TIMEOUT_MS = 5_000;

/**
 * Puts tasks on a work queue.
 *
 * @example
 * await using client = new WorkerClient({ rabbitUrl: 'amqp://localhost', queueName: 'reports' });
 * const id = await client.put({ type: 'report', month: '2026-11' });
 */
export class WorkerClient {
  readonly events = new Events<ClientEvents>();
  private readonly config: ResolvedClient;
  private readonly publisher: Publisher;
  private readonly broker: BrokerUse;
  /** Aborts when `stop` is called: no more of many tasks is put. */
  private readonly leaving = controllerForMany();
  private stopping: Promise<void> | undefined;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect: the first `put` or `start` does. */
  constructor(options: WorkerClientOptions) {
    this.config = resolveClient(options);
    const { queueName, retryDelaysMs, publishTimeoutMs, topology: mode } = this.config;
    const onProblem = (problem: BrokerError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `client ${queueName}`, onProblem);
    const { publishing } = this.broker.connections;
    const use = { mode, onMismatch: onProblem };
    const declare = (withDelays: boolean) => declareTaskTopology(publishing, queueName, retryDelaysMs, use, withDelays);
    this.publisher = new Publisher(publishing, declare, publishTimeoutMs, this.events);
  }

  get queueName(): string {
    return this.config.queueName;
  }

  /** Whether it was started, or something was put. */
  get isOpen(): boolean {
    return this.publisher.isOpen;
  }

  /** Why a `put` would fail now; undefined when it would succeed. For readiness checks. */
  get problem(): MercuryError | undefined {
    return this.publisher.problem;
  }

  /** Connects and declares the queue in the background, so that `problem` tells the truth before the first `put`. */
  start(): void {
    this.publisher.open();
  }

  /**
   * Puts a task on the queue; one with a delay gets there once its time has come, as long as a worker runs.
   * @param body the task, a JSON object. It is stored as it is.
   * @returns the task's id, once the broker has stored the task on disk on a majority of the queue's members.
   * @throws InvalidMessageError `TASK_INVALID`, `BODY_INVALID` (a part of it would not arrive as it is), `TASK_TOO_LARGE`:
   * nothing was sent.
   * @throws PublishError `PUBLISH_RETURNED` (no such queue), `PUBLISH_NACKED` (queue full), `PUBLISH_NOT_SENT` (broker
   * away or blocked for `publishTimeoutMs`): it is not stored. `PUBLISH_UNKNOWN`: it may be stored; put it again with the same id.
   */
  async put(body: object, options: PutOptions = {}): Promise<string> {
    const { id, stored } = this.publish(body, options);
    try {
      await stored;
    } catch (error) {
      this.onFailed(error);
      throw error;
    }
    return id;
  }

  /**
   * Puts many tasks: one wait for all confirms, and an outcome for each task. One that is refused, returned or unknown does not stop the
   * others.
   *
   * @example
   * const outcomes = await client.putAll([{ body: { orderId: 1 }, type: 'invoice' }, { body: { orderId: 2 }, type: 'invoice' }]);
   * const failed = outcomes.filter(({ stored }) => !stored);
   *
   * @param tasks a list. Each task is its body and what `put` takes beside it.
   * @returns an outcome for each task, in the order of the list. It never rejects: those that were not put any more, because the broker took
   * nothing for `publishTimeoutMs`, the signal aborted or the client was stopped, are `PUBLISH_NOT_SENT`.
   */
  putAll(tasks: readonly PutItem[], options?: PutAllOptions): Promise<PutOutcome[]>;
  /**
   * Puts as many tasks as there are, a million of a database, say, in bounded memory: the next is taken from the source when the publisher has
   * room for it (1,000 unconfirmed and 32 MiB).
   *
   * @example
   * await client.putAll(rows(), { onOutcome: (outcome, task) => outcome.stored || failed.push(task) });
   *
   * @param tasks what gives one task after the other: a generator, an asynchronous one, a cursor.
   * @param options `onOutcome` is called once for each task that was taken, as soon as its outcome is known: not always in order.
   * @returns the counts, once each task has its outcome.
   * @throws what the source or `onOutcome` throws, the reason of the signal, or PublishError `PUBLISH_NOT_SENT` when the broker took nothing for
   * `publishTimeoutMs` or the client was stopped. Nothing more is taken then, the source is closed (`return`), and it rejects once all that was
   * taken has its outcome. A connection that is lost and comes back within that time does not end it: what was under way is `PUBLISH_UNKNOWN`.
   */
  putAll(
    tasks: Iterable<PutItem> | AsyncIterable<PutItem>,
    options: PutAllOptions & { onOutcome: OnOutcome },
  ): Promise<PutCounts>;
  async putAll(
    tasks: readonly PutItem[] | Iterable<PutItem> | AsyncIterable<PutItem>,
    { onOutcome, signal }: PutAllOptions & { onOutcome?: OnOutcome } = {},
  ): Promise<PutOutcome[] | PutCounts> {
    const over = new LinkedSignal(signal ? [this.leaving.signal, signal] : [this.leaving.signal]);
    const host = {
      submit: (body: object, options: PutOptions) => this.publish(body, options),
      hasRoom: () => this.publisher.hasRoom,
      problem: () => this.problem,
      timeoutMs: this.config.publishTimeoutMs,
      onFailed: (error: unknown) => this.onFailed(error),
    };
    this.start();
    try {
      if (onOutcome) return await new PutAll(host, onOutcome, over.signal).run(tasks);
      if (Array.isArray(tasks)) return await putList(host, tasks, over.signal);
      throw new ConfigError('putAll', ['onOutcome must be a function where the tasks are no list']);
    } finally {
      over.release();
    }
  }

  private onFailed(error: unknown): void {
    // The queue was deleted. This task is refused; the next one finds it declared again.
    if (error instanceof PublishError && error.outcome === 'returned') this.publisher.renew();
  }

  /** Not async: a function that is suspended keeps all that it knows, and so each message until its confirm. */
  protected publish(body: object, options: PutOptions): { id: string; stored: Promise<void> } {
    const { queueName, maxPayloadBytes } = this.config;
    const { clock } = this.broker;
    const { id, content, properties, notBeforeMs } = encodeTask(body, options, maxPayloadBytes, clock.nowMs());
    const isDue = notBeforeMs === undefined;
    if (!isDue && delayLevelMs(notBeforeMs - clock.nowMs()) !== undefined) this.publisher.extend();
    const exchange = isDue ? EXCHANGE.tasks : '';
    const routingKey = isDue ? queueName : () => waitingQueueOf(queueName, notBeforeMs - clock.nowMs());
    return { id, stored: this.publisher.publish({ exchange, routingKey, content, properties, fit: fitNew }) };
  }

  /** Waits up to 5 s for the confirms still open, then closes the connection. Safe to call twice. */
  stop(): Promise<void> {
    this.leaving.abort(new PublishError('not-sent', 'The client is stopped.'));
    this.stopping ??= this.publisher.close(DRAIN_TIMEOUT_MS).then(() => this.broker.close());
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
