import { useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { EXCHANGE, declareTaskTopology, waitingQueueOf } from '../broker/topology';
import { PublishError, type BrokerError, type MercuryError } from '../errors';
import { Events } from '../events';
import { encodeTask } from './codec';
import { fitNew } from './frame-fit';
import { resolveClient, type ResolvedClient, type WorkerClientOptions } from './options';
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
  private stopping: Promise<void> | undefined;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect: the first `put` or `start` does. */
  constructor(options: WorkerClientOptions) {
    this.config = resolveClient(options);
    const { queueName, retryDelaysMs, publishTimeoutMs } = this.config;
    const onProblem = (problem: BrokerError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `client ${queueName}`, onProblem);
    const { publishing } = this.broker.connections;
    const declare = () => declareTaskTopology(publishing, queueName, retryDelaysMs, onProblem);
    this.publisher = new Publisher(publishing, declare, publishTimeoutMs, this.events);
  }

  get queueName(): string {
    return this.config.queueName;
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
      // The queue was deleted. This task is refused; the next one finds it declared again.
      if (error instanceof PublishError && error.outcome === 'returned') this.publisher.renew();
      throw error;
    }
    return id;
  }

  /** Not async: a function that is suspended keeps all that it knows, and so each message until its confirm. */
  private publish(body: object, options: PutOptions): { id: string; stored: Promise<void> } {
    const { queueName, maxPayloadBytes } = this.config;
    const { clock } = this.broker;
    const { id, content, properties, notBeforeMs } = encodeTask(body, options, maxPayloadBytes, clock.nowMs());
    const isDue = notBeforeMs === undefined;
    const exchange = isDue ? EXCHANGE.tasks : '';
    const routingKey = isDue ? queueName : () => waitingQueueOf(queueName, notBeforeMs - clock.nowMs());
    return { id, stored: this.publisher.publish({ exchange, routingKey, content, properties, fit: fitNew }) };
  }

  /** Waits up to 5 s for the confirms still open, then closes the connection. Safe to call twice. */
  stop(): Promise<void> {
    this.stopping ??= this.publisher.close(DRAIN_TIMEOUT_MS).then(() => this.broker.close());
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
