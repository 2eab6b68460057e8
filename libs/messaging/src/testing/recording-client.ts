import type { PutOptions } from '../codec';
import type { WorkerClientOptions } from '../config';
import { DELAY_LEVELS_MS } from '../delay';
import type { JsonObject } from '../task';
import { delayQueueOf, dueQueueOf } from '../topology';
import { WorkerClient } from '../worker-client';
import { MemoryBroker } from './memory-broker';

/** A task that was put. */
export interface RecordedTask {
  id: string;
  type: string;
  /** As a handler will get it. */
  body: JsonObject;
  /** What was asked for beside it: a delay, an id. */
  options: PutOptions;
}

/**
 * A WorkerClient that has no broker and remembers what was put, for unit tests of whoever puts tasks. What a WorkerClient
 * refuses it refuses, too, with the same error. It is a WorkerClient, also for `overrideProvider(WorkerClient)` of Nest.
 *
 * @example
 * const client = new RecordingClient();
 * await new OrderService(client).pay(order);
 * expect(client.tasks).toMatchObject([{ type: 'receipt.send', body: { orderId: 4711 }, options: { delayMs: 60_000 } }]);
 */
export class RecordingClient extends WorkerClient {
  /** In the order in which they were put. */
  readonly tasks: RecordedTask[] = [];
  private readonly memory: MemoryBroker;

  /** @param options as of a WorkerClient, but for its broker. Default of `queueName`: `tasks`. */
  constructor(options: Partial<Omit<WorkerClientOptions, 'connections' | 'rabbitUrl'>> = {}) {
    const memory = new MemoryBroker();
    super({ queueName: 'tasks', ...options, connections: memory.connect() });
    this.memory = memory;
  }

  override async put(body: object, options: PutOptions = {}): Promise<string> {
    const id = await super.put(body, options);
    const { queueName } = this;
    const queues = [
      queueName,
      dueQueueOf(queueName),
      ...DELAY_LEVELS_MS.map((levelMs) => delayQueueOf(queueName, levelMs)),
    ];
    const stored = queues.flatMap((queue) => this.memory.messages(queue)).findLast((message) => message.id === id);
    this.tasks.push({ id, type: stored?.type ?? '', body: stored?.body ?? {}, options });
    return id;
  }
}
