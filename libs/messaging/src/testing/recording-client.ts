import { PublishError, type MercuryError } from '../errors';
import { encodeTask } from '../tasks/codec';
import { DEFAULTS, type WorkerClientOptions } from '../tasks/options';
import type { PutOptions } from '../tasks/put-options';
import type { JsonObject } from '../tasks/task';
import { TaskClient } from '../tasks/task-client';
import { WorkerClient } from '../tasks/worker-client';
import { MemoryBroker } from './memory-broker';

/** A task that was put. */
export interface RecordedTask {
  id: string;
  queue: string;
  type: string;
  /** As a handler will get it. */
  body: JsonObject;
  /** What was asked for beside it: a delay, an id. */
  options: PutOptions;
}

/**
 * A WorkerClient that has no broker and remembers what was put, for unit tests of whoever puts tasks. What a WorkerClient
 * refuses it refuses, too, with the same error. It is a WorkerClient, also for `overrideProvider(WorkerClient)` of Nest.
 * It need not be stopped.
 *
 * @example
 * const client = new RecordingClient();
 * await new OrderService(client).pay(order);
 * expect(client.tasks).toMatchObject([{ type: 'receipt.send', body: { orderId: 4711 }, options: { delayMs: 60_000 } }]);
 */
export class RecordingClient extends WorkerClient {
  private readonly maxPayloadBytes: number;
  private isStopped = false;

  /**
   * @param options as of a WorkerClient, but for its broker. Default of `queueName`: `tasks`.
   * @param tasks those that were put, in their order.
   */
  constructor(
    options: Partial<Omit<WorkerClientOptions, 'connections' | 'rabbitUrl'>> = {},
    readonly tasks: RecordedTask[] = [],
  ) {
    // It only stands for one: nothing is ever sent there.
    super({ queueName: 'tasks', ...options, connections: new MemoryBroker().connect() });
    this.maxPayloadBytes = options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes;
  }

  override get problem(): MercuryError | undefined {
    return this.isStopped ? stopped() : undefined;
  }

  override start(): void {}

  protected override publish(body: object, options: PutOptions): { id: string; stored: Promise<void> } {
    const { id, content, properties } = encodeTask(body, options, this.maxPayloadBytes);
    if (this.isStopped) throw stopped();
    const recorded = JSON.parse(content.toString()) as JsonObject;
    // Of many tasks each brings its body beside its options.
    const { body: _body, ...own }: PutOptions & { body?: unknown } = options;
    this.tasks.push({ id, queue: this.queueName, type: String(properties.type), body: recorded, options: own });
    return { id, stored: Promise.resolve() };
  }

  override stop(): Promise<void> {
    this.isStopped = true;
    return super.stop();
  }
}

/**
 * A TaskClient that has no broker and remembers what was put, for unit tests of whoever puts tasks of contracts. It need not be stopped.
 *
 * @example
 * const tasks = new RecordingTaskClient();
 * await new OrderService(tasks).pay(order);
 * expect(tasks.tasks).toMatchObject([{ queue: 'invoices', type: 'invoice.run', body: { orderId: 4711 } }]);
 */
export class RecordingTaskClient extends TaskClient {
  /** In the order in which they were put. */
  readonly tasks: RecordedTask[] = [];

  constructor() {
    super({ connections: new MemoryBroker().connect() });
  }

  protected override open(queueName: string): WorkerClient {
    return new RecordingClient({ queueName }, this.tasks);
  }
}

function stopped(): PublishError {
  return new PublishError('not-sent', 'The client is stopped.');
}
