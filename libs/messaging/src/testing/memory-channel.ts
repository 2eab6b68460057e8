import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { ConfirmChannel, ConsumeMessage, GetMessage, Message, Options, Replies } from 'amqplib';
import type { Consumer, Queue, QueueArguments } from './broker/queue';
import { Refusal } from './broker/refusal';
import { deliveredProperties, messageOf, type StoredMessage } from './broker/stored-message';
import type { VirtualHost } from './broker/virtual-host';
import { MemoryConfirms, type ConfirmCallback } from './memory-confirms';
import { MemoryDeliveries, type Settle } from './memory-deliveries';

/** What a channel asks of the broker. */
export interface ChannelHost {
  readonly virtualHost: VirtualHost;
  /** Runs later, in the order of the calls: what a broker answers never comes within the call that asks for it. */
  later(work: () => void): void;
}

/**
 * A channel in confirm mode as amqplib has it, without a broker behind it: of its methods those that Mercury and the
 * conformance suite use. What the broker refuses closes it, as there.
 */
export class MemoryChannel
  extends EventEmitter
  implements
    Pick<
      ConfirmChannel,
      | 'assertExchange'
      | 'checkExchange'
      | 'deleteExchange'
      | 'assertQueue'
      | 'checkQueue'
      | 'deleteQueue'
      | 'purgeQueue'
      | 'bindQueue'
      | 'unbindQueue'
      | 'publish'
      | 'sendToQueue'
      | 'waitForConfirms'
      | 'prefetch'
      | 'consume'
      | 'cancel'
      | 'get'
      | 'ack'
      | 'nack'
      | 'nackAll'
      | 'reject'
      | 'close'
    >
{
  private isOpen = true;
  private isClosing = false;
  private nextPrefetch = 0;
  private readonly deliveries = new MemoryDeliveries();
  private readonly confirms = new MemoryConfirms();
  private readonly consumers = new Map<string, { consumer: Consumer; queue: Queue }>();

  /**
   * @param connection to which it belongs, as do the exclusive queues that it declares.
   * @param onEnd called when it is closed.
   */
  constructor(
    private readonly host: ChannelHost,
    private readonly connection: object,
    private readonly onEnd: (channel: MemoryChannel) => void,
  ) {
    super();
  }

  /** From which it consumes, one for each consumer. */
  get consumedQueues(): Queue[] {
    return [...this.consumers.values()].map(({ queue }) => queue);
  }

  async assertExchange(
    exchange: string,
    kind: string,
    options: Options.AssertExchange = {},
  ): Promise<Replies.AssertExchange> {
    const { durable = true, alternateExchange } = options;
    return this.ask('ExchangeDeclare', (broker) => {
      broker.declareExchange(exchange, kind, durable, alternateExchange);
      return { exchange };
    });
  }

  async checkExchange(exchange: string): Promise<Replies.Empty> {
    return this.ask('ExchangeDeclare', (broker) => {
      broker.exchange(exchange);
      return {};
    });
  }

  async deleteExchange(exchange: string): Promise<Replies.Empty> {
    return this.ask('ExchangeDelete', (broker) => {
      broker.deleteExchange(exchange);
      return {};
    });
  }

  async assertQueue(name = '', options: Options.AssertQueue = {}): Promise<Replies.AssertQueue> {
    const { durable = true, exclusive = false } = options;
    const args = (options.arguments ?? {}) as QueueArguments;
    return this.ask('QueueDeclare', (broker) => {
      const owner = exclusive ? this.connection : undefined;
      return stateOf(broker.declareQueue(name, { durable, owner, args }, this.connection));
    });
  }

  async checkQueue(name: string): Promise<Replies.AssertQueue> {
    return this.ask('QueueDeclare', (broker) => stateOf(broker.queue(name, this.connection)));
  }

  async deleteQueue(name: string): Promise<Replies.DeleteQueue> {
    return this.ask('QueueDelete', (broker) => ({ messageCount: broker.deleteQueue(name, this.connection) }));
  }

  async purgeQueue(name: string): Promise<Replies.PurgeQueue> {
    return this.ask('QueuePurge', (broker) => ({ messageCount: broker.queue(name, this.connection).purge() }));
  }

  async bindQueue(
    name: string,
    source: string,
    key: string,
    headers: Record<string, unknown> = {},
  ): Promise<Replies.Empty> {
    return this.ask('QueueBind', (broker) => {
      broker.queue(name, this.connection);
      broker.exchange(source).bind(name, key, headers);
      broker.buryAgain();
      return {};
    });
  }

  async unbindQueue(
    name: string,
    source: string,
    key: string,
    headers: Record<string, unknown> = {},
  ): Promise<Replies.Empty> {
    return this.ask('QueueUnbind', (broker) => {
      broker.queue(name, this.connection);
      broker.exchange(source).unbind(name, key, headers);
      return {};
    });
  }

  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options: Options.Publish = {},
    callback: ConfirmCallback = () => undefined,
  ): boolean {
    this.checkOpen();
    checkContent(content);
    const message = messageOf({ exchange, routingKey }, content, options);
    const confirm = this.confirms.add(callback);
    this.later(() => {
      const result = this.host.virtualHost.publish(message);
      const { properties } = message;
      const fields = { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey };
      if (result === 'unroutable' && options.mandatory)
        this.emit('return', { fields, properties, content: message.content });
      confirm(result === 'full' ? new Error('message nacked') : null);
    });
    return true;
  }

  sendToQueue(name: string, content: Buffer, options?: Options.Publish, callback?: ConfirmCallback): boolean {
    return this.publish('', name, content, options, callback);
  }

  waitForConfirms(): Promise<void> {
    return this.confirms.untilNone();
  }

  async prefetch(count: number): Promise<Replies.Empty> {
    return this.ask('BasicQos', () => {
      this.nextPrefetch = count;
      return {};
    });
  }

  async consume(
    name: string,
    onMessage: (message: ConsumeMessage | null) => void,
    { consumerTag = `amq.ctag-${randomUUID()}`, exclusive = false, noAck = false }: Options.Consume = {},
  ): Promise<Replies.Consume> {
    return this.ask('BasicConsume', (broker) => {
      const queue = broker.queue(name, this.connection);
      const consumer: Consumer = {
        prefetch: noAck ? 0 : this.nextPrefetch,
        isExclusive: exclusive,
        inHand: 0,
        deliver: (message) => {
          const deliveryTag = this.deliveries.take(message, queue, consumer);
          onMessage({ ...asMessage(message), fields: { ...fieldsOf(message), deliveryTag, consumerTag } });
          if (noAck) this.deliveries.settle(deliveryTag, (settled) => queue.settle(settled));
        },
        cancelled: () => {
          this.consumers.delete(consumerTag);
          this.later(() => onMessage(null));
        },
      };
      queue.consume(consumer);
      broker.lostConsumers.found(this.connection, queue);
      this.consumers.set(consumerTag, { consumer, queue });
      return { consumerTag };
    });
  }

  async cancel(consumerTag: string): Promise<Replies.Cancel> {
    return this.ask('BasicCancel', () => {
      const { consumer, queue } = this.consumers.get(consumerTag) ?? {};
      if (consumer) queue?.cancel(consumer);
      this.consumers.delete(consumerTag);
      return { consumerTag };
    });
  }

  async get(name: string, { noAck = false }: Options.Get = {}): Promise<GetMessage | false> {
    return this.ask('BasicGet', (broker) => {
      const queue = broker.queue(name, this.connection);
      const message = queue.take();
      if (!message) return false;
      const deliveryTag = this.deliveries.take(message, queue, undefined);
      const got = {
        ...asMessage(message),
        fields: { ...fieldsOf(message), deliveryTag, messageCount: queue.readyCount },
      };
      if (noAck) this.deliveries.settle(deliveryTag, (settled) => queue.settle(settled));
      return got;
    });
  }

  ack(message: Message, allUpTo = false): void {
    this.settleUpTo(message, allUpTo, (settled, queue) => queue.settle(settled));
  }

  /** Given back by nack it does not count toward the delivery limit, as on RabbitMQ 4.3. */
  nack(message: Message, allUpTo = false, requeue = true): void {
    this.settleUpTo(message, allUpTo, (settled, queue) =>
      requeue ? queue.giveBack(settled, false) : queue.reject(settled),
    );
  }

  nackAll(requeue = true): void {
    this.checkOpen();
    this.later(() => {
      this.deliveries.settleAll((message, queue) => (requeue ? queue.giveBack(message, false) : queue.reject(message)));
    });
  }

  reject(message: Message, requeue = true): void {
    this.settleUpTo(message, false, (settled, queue) =>
      requeue ? queue.giveBack(settled, true) : queue.reject(settled),
    );
  }

  async close(): Promise<void> {
    const closed = this.ask('ChannelClose', () => this.end());
    this.isClosing = true;
    return closed;
  }

  /** What was delivered and not settled goes back, counted; what is not confirmed stays unknown. */
  end(error?: Error): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const { consumer, queue } of this.consumers.values()) queue.cancel(consumer);
    this.consumers.clear();
    this.deliveries.settleAll((message, queue) => queue.giveBack(message, true));
    this.onEnd(this);
    if (error) this.emit('error', error);
    this.emit('close');
    this.confirms.lose();
  }

  private settleUpTo({ fields: { deliveryTag } }: Message, allUpTo: boolean, how: Settle): void {
    this.checkOpen();
    this.later(() => {
      if (allUpTo) this.deliveries.settleUpTo(deliveryTag, how);
      else this.deliveries.settle(deliveryTag, how);
    });
  }

  /** A method that is answered. What is refused closes the channel, and the caller is told, too. */
  private ask<Answer>(method: string, work: (broker: VirtualHost) => Answer): Promise<Answer> {
    this.checkOpen();
    return new Promise((resolve, reject) => {
      this.host.later(() => {
        if (!this.isOpen) return reject(new Error('Channel ended, no reply will be forthcoming'));
        try {
          resolve(work(this.host.virtualHost));
        } catch (error) {
          reject(error instanceof Refusal ? asError(`Operation failed: ${method};`, error) : (error as Error));
          this.endIfRefused(error);
        }
      });
    });
  }

  /** What nobody answers: a refusal closes the channel all the same. */
  private later(work: () => void): void {
    this.host.later(() => {
      try {
        if (this.isOpen) work();
      } catch (error) {
        this.endIfRefused(error);
      }
    });
  }

  private endIfRefused(error: unknown): void {
    if (!(error instanceof Refusal)) throw error;
    this.end(asError('Channel closed by server:', error));
  }

  private checkOpen(): void {
    if (!this.isOpen || this.isClosing) throw new Error(this.isOpen ? 'Channel closing' : 'Channel closed');
  }
}

function stateOf({ name, readyCount, consumerCount }: Queue): Replies.AssertQueue {
  return { queue: name, messageCount: readyCount, consumerCount };
}

function asMessage(message: StoredMessage): Pick<Message, 'content' | 'properties'> {
  return { content: message.content, properties: deliveredProperties(message) };
}

function fieldsOf({ isRedelivered, exchange, routingKey }: StoredMessage) {
  return { redelivered: isRedelivered, exchange, routingKey };
}

function asError(prefix: string, { code, message }: Refusal): Error {
  const [name = ''] = message.split(' ');
  return Object.assign(new Error(`${prefix} ${code} (${name.replace('_', '-')}) with message "${message}"`), { code });
}

function checkContent(content: unknown): void {
  if (!Buffer.isBuffer(content)) throw new TypeError('content is not a buffer');
}
