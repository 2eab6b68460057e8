import { useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { refuse } from '../checks';
import { stopped, type MercuryError } from '../errors';
import { Events } from '../events';
import type { PutOptions } from './codec';
import type { TaskContract } from './contract';
import { checkClient, type WorkerClientOptions } from './options';
import type { Sendable } from './payload';
import { WorkerClient } from './worker-client';

/** As those of a WorkerClient; the queue is each contract's own. */
export type TaskClientOptions = Omit<WorkerClientOptions, 'queueName'>;

/** The type is the contract's. */
export type ContractPutOptions = Omit<PutOptions, 'type'>;

/**
 * Puts tasks of contracts, each on the queue of its contract, all on one connection.
 *
 * @example
 * await using tasks = new TaskClient({ rabbitUrl: 'amqp://localhost' });
 * await tasks.put(InvoiceRun, { orderId: 4711 });
 */
export class TaskClient {
  readonly events = new Events<ClientEvents>();
  private readonly clients = new Map<string, WorkerClient>();
  private readonly broker: BrokerUse;
  private isStopped = false;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect: the first `put` does. */
  constructor(private readonly options: TaskClientOptions) {
    const problems: string[] = [];
    const resolved = checkClient({ ...options, queueName: 'contracts' }, problems);
    refuse('TaskClient options', problems);
    this.broker = useConnections(resolved, 'task client', (problem) => this.events.emit('problem', problem));
  }

  /** Why a `put` to one of the queues that were used so far would fail now; undefined when none would. For readiness checks. */
  get problem(): MercuryError | undefined {
    return [...this.clients.values()].find(({ problem }) => problem)?.problem;
  }

  /**
   * Puts a task.
   * @param payload is checked before it is sent, and stored as it is.
   * @returns the task's id, once the broker has stored the task on disk on a majority of the queue's members.
   * @throws InvalidMessageError `INVALID_PAYLOAD`, with a pointer to the first problem: nothing was sent. @throws what
   * `WorkerClient.put` throws. @throws MercuryError `STOPPED`.
   */
  async put<Sent extends object>(
    contract: TaskContract<Sent, unknown>,
    payload: NoInfer<Sendable<Sent>>,
    options: ContractPutOptions = {},
  ): Promise<string> {
    if (this.isStopped) throw stopped('task client');
    await contract.checkSent(payload);
    return this.clientOf(contract.queue).put(payload, { ...options, type: contract.type });
  }

  /** Waits up to 5 s for the confirms still open, then closes the connection. Safe to call twice. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all([...this.clients.values()].map((client) => client.stop()));
    await this.broker.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Made with the first task of its queue. */
  private clientOf(queueName: string): WorkerClient {
    let client = this.clients.get(queueName);
    if (!client) {
      client = this.open(queueName);
      this.clients.set(queueName, client);
    }
    return client;
  }

  protected open(queueName: string): WorkerClient {
    const client = new WorkerClient({ ...this.options, connections: this.broker.connections, queueName });
    client.events.on('problem', (problem) => this.events.emit('problem', problem));
    client.events.on('published', (...published) => this.events.emit('published', ...published));
    return client;
  }
}
