import { randomUUID } from 'node:crypto';
import type { ConfirmChannel, Message } from 'amqplib';
import type { BrokerError } from '../errors';
import { ackTimeoutMs } from './ack-timeout';
import { untilDeaf, type Deafness } from './deafness';

/** Takes the messages of a work queue on one channel, with pauses. */
export class Consumer {
  /** A fresh one each time; undefined while it takes nothing. */
  private tag: string | undefined;

  /**
   * @param longestHandlerMs how long a message may be unacknowledged, its settling not counted.
   * @param deafness of all consumers that the worker has one after another.
   */
  constructor(
    private readonly channel: ConfirmChannel,
    private readonly queueName: string,
    private readonly longestHandlerMs: number,
    private readonly deafness: Deafness,
    private readonly onMessage: (message: Message | null) => void,
  ) {}

  async take(): Promise<void> {
    const consumerTag = `mercury-${randomUUID()}`;
    this.tag = consumerTag;
    this.deafness.begin();
    const onMessage = (message: Message | null) => {
      this.deafness.heard();
      this.onMessage(message);
    };
    // From RabbitMQ 3.12 on a consumer may say it itself; without it a task of a broker that waits less would come again
    // and again, and on 4.3 without ever being counted.
    const args = { 'x-consumer-timeout': ackTimeoutMs(this.longestHandlerMs) };
    await this.channel.consume(this.queueName, onMessage, { consumerTag, arguments: args });
  }

  async pause(): Promise<void> {
    const { tag } = this;
    this.tag = undefined;
    if (tag !== undefined) await this.channel.cancel(tag);
  }

  /** Resolves when it gets nothing although there is something for it, or with one of the signals. */
  untilDeaf(hasRoom: () => boolean, ...signals: readonly AbortSignal[]): Promise<BrokerError | undefined> {
    const wantsMore = () => this.tag !== undefined && hasRoom();
    return untilDeaf(this.channel, this.queueName, this.deafness, wantsMore, ...signals);
  }
}
