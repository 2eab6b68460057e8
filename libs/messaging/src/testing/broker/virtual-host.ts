import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock';
import { Exchange, type ExchangeKind } from './exchange';
import { LostConsumers } from './lost-consumers';
import { Queue, type QueueHost, type QueueOptions } from './queue';
import { Refusal } from './refusal';
import { deadMessageOf, type DeathReason, type StoredMessage } from './stored-message';

/** How a publish ended: `full` when a queue that should have it refused. */
export type PublishResult = 'stored' | 'unroutable' | 'full';

const KINDS: readonly string[] = ['direct', 'fanout', 'topic', 'headers'];

/** The exchanges and queues of a broker, with the rules by which messages go between them. */
export class VirtualHost implements QueueHost {
  readonly queues = new Map<string, Queue>();
  readonly lostConsumers = new LostConsumers();
  /** How many deliveries have ended: what moves is not stuck. */
  endedCount = 0;
  private readonly exchanges = new Map<string, Exchange>();

  /** @param wake called when something may be deliverable. */
  constructor(
    readonly clock: Clock,
    readonly wake: () => void,
  ) {
    for (const kind of KINDS) this.exchanges.set(`amq.${kind}`, new Exchange(kind as ExchangeKind, true, undefined));
  }

  ended(): void {
    this.endedCount += 1;
  }

  /** @throws Refusal 406 where it exists as something else. */
  declareExchange(name: string, kind: string, isDurable: boolean, alternate: string | undefined): void {
    if (!KINDS.includes(kind)) throw new Refusal(406, `invalid exchange type '${kind}'`);
    const existing = this.exchanges.get(name);
    if (!existing) {
      this.exchanges.set(name, new Exchange(kind as ExchangeKind, isDurable, alternate));
      return;
    }
    const different = (what: string, received: string | boolean | undefined, current: string | boolean | undefined) => {
      const text = `inequivalent arg '${what}' for exchange '${name}' in vhost '/': received '${received}' but current is '${current}'`;
      return received === current ? undefined : new Refusal(406, text);
    };
    const refusal =
      different('type', kind, existing.kind) ??
      different('durable', isDurable, existing.isDurable) ??
      different('alternate-exchange', alternate, existing.alternate);
    if (refusal) throw refusal;
  }

  deleteExchange(name: string): void {
    this.exchanges.delete(name);
  }

  /** @throws Refusal 404. */
  exchange(name: string): Exchange {
    const found = this.exchanges.get(name);
    if (!found) throw new Refusal(404, `no exchange '${name}' in vhost '/'`);
    return found;
  }

  /** @throws Refusal 405 for somebody else's exclusive queue, 406 where it exists with other arguments. */
  declareQueue(wanted: string, options: QueueOptions, connection: object): Queue {
    const name = wanted === '' ? `amq.gen-${randomUUID()}` : wanted;
    const existing = this.queues.get(name);
    if (!existing) {
      const queue = new Queue(name, options, this);
      this.queues.set(name, queue);
      this.buryAgain();
      return queue;
    }
    this.checkOwner(existing, connection);
    const difference = differenceOf(options, existing.options);
    if (difference)
      throw new Refusal(406, `inequivalent arg ${difference.replace('$', `for queue '${name}' in vhost '/'`)}`);
    return existing;
  }

  /** @throws Refusal 404, 405. */
  queue(name: string, connection: object): Queue {
    const found = this.queues.get(name);
    if (!found) throw new Refusal(404, `no queue '${name}' in vhost '/'`);
    this.checkOwner(found, connection);
    return found;
  }

  /** Returns how many messages went with it; deleting what is not there is no error. @throws Refusal 405. */
  deleteQueue(name: string, connection: object): number {
    const queue = this.queues.get(name);
    if (!queue) return 0;
    this.checkOwner(queue, connection);
    this.queues.delete(name);
    for (const exchange of this.exchanges.values()) exchange.forget(name);
    return queue.end();
  }

  /** Ends what belongs to a connection. */
  disconnect(connection: object): void {
    for (const { name, options } of this.queues.values())
      if (options.owner === connection) this.deleteQueue(name, connection);
  }

  /** @throws Refusal 404 for an exchange that does not exist. */
  publish(message: StoredMessage): PublishResult {
    const queues = this.route(message, message.exchange);
    if (queues.length === 0) return 'unroutable';
    const stored = queues.map((queue) => queue.push({ ...message }));
    return stored.every(Boolean) ? 'stored' : 'full';
  }

  /** Delivers until nobody can take anything more. */
  deliver(): void {
    for (const queue of [...this.queues.values()]) while (queue.deliverOne());
  }

  /** False where the queue's dead letters must not be lost, and cannot be stored: it keeps the message. */
  bury(message: StoredMessage, { name, options }: Queue, reason: DeathReason): boolean {
    const { 'x-dead-letter-exchange': exchange, 'x-dead-letter-routing-key': key } = options.args;
    if (typeof exchange !== 'string') return true;
    const address = { exchange, routingKey: typeof key === 'string' ? key : message.routingKey };
    const dead = deadMessageOf(message, address, name, reason, this.clock.nowMs());
    const mustArrive = options.args['x-dead-letter-strategy'] === 'at-least-once';
    const isStored = (exchange === '' || this.exchanges.has(exchange)) && this.publish(dead) === 'stored';
    return isStored || !mustArrive;
  }

  /** Something has changed with which messages that could not be buried may have a place. */
  buryAgain(): void {
    for (const queue of this.queues.values()) queue.buryAgain();
  }

  /** @param seen the exchanges that had it already: alternates may go round in a circle. */
  private route(message: StoredMessage, exchangeName: string, seen: readonly string[] = []): Queue[] {
    if (seen.includes(exchangeName)) return [];
    const { routingKey, properties } = message;
    if (exchangeName === '') return [this.queues.get(routingKey)].filter((queue) => queue !== undefined);
    const exchange = this.exchange(exchangeName);
    const names = [...exchange.queuesFor(routingKey, properties.headers ?? {})];
    const queues = names.map((name) => this.queues.get(name)).filter((queue) => queue !== undefined);
    const { alternate } = exchange;
    return queues.length > 0 || alternate === undefined || !this.exchanges.has(alternate)
      ? queues
      : this.route(message, alternate, [...seen, exchangeName]);
  }

  private checkOwner({ name, options: { owner } }: Queue, connection: object): void {
    if (owner === undefined || owner === connection) return;
    throw new Refusal(405, `cannot obtain exclusive access to locked queue '${name}' in vhost '/'`);
  }
}

/** The first thing in which a declaration differs, in the broker's words; `$` stands for the queue's name. */
function differenceOf(received: QueueOptions, current: QueueOptions): string | undefined {
  if (received.durable !== current.durable) {
    return `'durable' $: received '${received.durable}' but current is '${current.durable}'`;
  }
  const isExclusive = (options: QueueOptions) => options.owner !== undefined;
  if (isExclusive(received) !== isExclusive(current)) {
    return `'exclusive' $: received '${isExclusive(received)}' but current is '${isExclusive(current)}'`;
  }
  for (const key of new Set([...Object.keys(received.args), ...Object.keys(current.args)])) {
    const [one, other] = [received.args[key], current.args[key]];
    if (one !== other) return `'${key}' $: received ${describe(one)} but current is ${describe(other)}`;
  }
  return undefined;
}

function describe(value: unknown): string {
  if (value === undefined) return 'none';
  const type = typeof value === 'string' ? 'longstr' : typeof value === 'boolean' ? 'bool' : 'signedint';
  return `the value '${typeof value === 'string' ? value : JSON.stringify(value)}' of type '${type}'`;
}
