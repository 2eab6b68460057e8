import { useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { refuse } from '../checks';
import { ConfigError, InvalidMessageError, MercuryError, stopped } from '../errors';
import { Events } from '../events';
import type { TaskContract } from './contract';
import { checkClient, type WorkerClientOptions } from './options';
import type { Sendable } from './payload';
import { failureOf, type PutAllOptions, type PutCounts, type PutItem, type PutOutcome } from './put-all';
import type { PutOptions } from './put-options';
import { WorkerClient } from './worker-client';

/** As those of a WorkerClient; the queue is each contract's own. */
export type TaskClientOptions = Omit<WorkerClientOptions, 'queueName'>;

/** The type is the contract's. */
export type ContractPutOptions = Omit<PutOptions, 'type'>;

/** A task of many: its payload, and what `put` takes beside it. */
export type ContractPutItem<Sent> = { payload: Sendable<Sent> } & ContractPutOptions;

/** Told once for each task, as soon as it is known: the task itself, and its place among the others, from 0. What it promises is waited for. */
export type OnContractOutcome<Sent> = (outcome: PutOutcome, item: ContractPutItem<Sent>, index: number) => unknown;

type Item<Sent> = ContractPutItem<Sent>;

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
    const client = this.clientOf(contract.queue);
    await contract.checkSent(payload);
    return client.put(payload, { ...options, type: contract.type });
  }

  /**
   * Puts many tasks of one contract, as `WorkerClient.putAll` does: each payload is checked before it is sent, and one that is refused
   * (`INVALID_PAYLOAD`) does not stop the others.
   *
   * @example
   * const outcomes = await tasks.putAll(InvoiceRun, orders.map(({ id }) => ({ payload: { orderId: id }, tags: [`order:${id}`] })));
   * @param items a list: each is a payload and what `put` takes beside it.
   * @returns an outcome for each, in the order of the list. @throws MercuryError `STOPPED`.
   */
  putAll<Sent extends object>(
    contract: TaskContract<Sent, unknown>,
    items: readonly NoInfer<ContractPutItem<Sent>>[],
    options?: PutAllOptions,
  ): Promise<PutOutcome[]>;
  /**
   * As many as there are, in bounded memory.
   * @param items what gives one after the other. @param options `onOutcome` is called once for each that was taken: not always in order.
   * @returns the counts. @throws what `WorkerClient.putAll` throws.
   */
  putAll<Sent extends object>(
    contract: TaskContract<Sent, unknown>,
    items: Iterable<NoInfer<ContractPutItem<Sent>>> | AsyncIterable<NoInfer<ContractPutItem<Sent>>>,
    options: PutAllOptions & { onOutcome: OnContractOutcome<Sent> },
  ): Promise<PutCounts>;
  async putAll<Sent extends object>(
    contract: TaskContract<Sent, unknown>,
    items: readonly Item<Sent>[] | Iterable<Item<Sent>> | AsyncIterable<Item<Sent>>,
    { onOutcome, ...options }: PutAllOptions & { onOutcome?: OnContractOutcome<Sent> } = {},
  ): Promise<PutOutcome[] | PutCounts> {
    const client = this.clientOf(contract.queue);
    if (onOutcome) return putChecked(client, contract, items, onOutcome, options);
    if (!Array.isArray(items))
      throw new ConfigError('putAll', ['onOutcome must be a function where the tasks are no list']);
    const list = items as readonly Item<Sent>[];
    const checks = await Promise.all(list.map((item) => refusalOf(contract, item)));
    const sound = list.filter((_item, index) => !checks[index]);
    const stored = (
      await client.putAll(
        sound.map((item) => putItemOf(contract, item)),
        options,
      )
    ).values();
    return list.map((item, index) => {
      const error = checks[index];
      return error ? failureOf(item, error) : (stored.next().value as PutOutcome);
    });
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

  /**
   * Made with the first task of its queue. Asked for before a payload is checked, which may take its time: one that is made after `stop`
   * would never be closed.
   */
  private clientOf(queueName: string): WorkerClient {
    if (this.isStopped) throw stopped('task client');
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

/** Checks each when it is its turn. */
async function putChecked<Sent extends object>(
  client: WorkerClient,
  contract: TaskContract<Sent, unknown>,
  items: Iterable<Item<Sent>> | AsyncIterable<Item<Sent>>,
  onOutcome: OnContractOutcome<Sent>,
  options: PutAllOptions,
): Promise<PutCounts> {
  const given = new Map<PutItem, { item: Item<Sent>; index: number }>();
  let refusedCount = 0;
  async function* sound(): AsyncGenerator<PutItem> {
    let index = -1;
    for await (const item of items) {
      index += 1;
      const error = await refusalOf(contract, item);
      if (error) {
        refusedCount += 1;
        await onOutcome(failureOf(item, error), item, index);
        continue;
      }
      const put = putItemOf(contract, item);
      given.set(put, { item, index });
      yield put;
    }
  }
  const { storedCount, failedCount } = await client.putAll(sound(), {
    ...options,
    onOutcome: (outcome, put) => {
      const known = given.get(put);
      given.delete(put);
      return known && onOutcome(outcome, known.item, known.index);
    },
  });
  return { storedCount, failedCount: failedCount + refusedCount };
}

function putItemOf<Sent>({ type }: TaskContract<object, unknown>, { payload, ...options }: Item<Sent>): PutItem {
  return { ...options, type, body: payload as object };
}

/** Why a task is not sent, if it is not. @throws what a schema throws by itself: that is no answer to whether it may be sent. */
async function refusalOf<Sent extends object>(
  contract: TaskContract<Sent, unknown>,
  item: Item<Sent> | undefined | null,
): Promise<MercuryError | undefined> {
  // Whoever has no types may give anything.
  if (typeof item !== 'object' || item === null) {
    return new InvalidMessageError('TASK_INVALID', 'Each of the tasks must be an object with a payload.');
  }
  try {
    await contract.checkSent(item.payload);
    return undefined;
  } catch (error) {
    if (error instanceof MercuryError) return error;
    throw error;
  }
}
