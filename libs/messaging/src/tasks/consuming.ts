import type { ConfirmChannel, Message } from 'amqplib';
import { closeChannel, type Connection } from '../broker/connection';
import { Consumer } from '../broker/consumer';
import { Deafness } from '../broker/deafness';
import { Deliveries, type Delivery } from '../broker/deliveries';
import { watchSetup } from '../broker/setup-watch';
import { BrokerError, brokerProblem, type MercuryError } from '../errors';
import { controllerForMany } from '../signals';
import { backoffMs, delay } from '../timing';

const CONSUME_AGAIN_CAP_MS = 5_000;
/** A cancel brings no reason (AMQP 0-9-1): RabbitMQ 4.3 answers so to a late ack, too. */
const CANCELLED =
  'The broker cancelled the consumer: its queue was deleted or moved, or a task took longer than its consumer_timeout.';

/** What a worker does with what it consumes. */
export interface ConsumingHost {
  readonly queueName: string;
  readonly capacity: number;
  /** Aborts when the worker is told to stop: nothing is consumed anew. */
  readonly leaving: AbortSignal;
  /** Aborts when its drain is over: what still runs is left to others. */
  readonly stopped: AbortSignal;
  connection(): Connection;
  /** Declares the queues again. */
  declare(): Promise<void>;
  longestHandlerMs(): number;
  /** Whether it would get more, if there was any. */
  hasRoom(): boolean;
  onReady(): void;
  onDelivery(delivery: Delivery): void;
  /** Called each time once it consumes; what is begun here ends when `lost` aborts. */
  onConsuming(channel: ConfirmChannel, deliveries: Deliveries, lost: AbortSignal): void;
  /** The deliveries of a channel are lost. */
  onLost(reason: BrokerError): void;
  onProblem(problem: MercuryError): void;
}

/** Consumes the work queue, one channel after another, until the worker leaves. */
export class Consuming {
  private current: { deliveries: Deliveries; consumer: Consumer } | undefined;
  private readonly deafness = new Deafness();

  constructor(private readonly host: ConsumingHost) {}

  /** Resolves once the worker has left. Never rejects. */
  async run(): Promise<void> {
    const { leaving, queueName } = this.host;
    for (let failures = 0; !leaving.aborted;) {
      let late: NodeJS.Timeout | undefined;
      try {
        const connection = this.host.connection();
        await connection.untilConnected(leaving);
        late = watchSetup(queueName, (problem) => this.host.onProblem(problem));
        await this.host.declare();
        const channel = await connection.openChannel();
        await this.consume(channel, () => {
          clearInterval(late);
          failures = 0;
        });
      } catch (error) {
        if (leaving.aborted) return;
        failures += 1;
        this.host.onProblem(brokerProblem('Consuming could not be set up; trying again', error));
        await delay(backoffMs(failures, CONSUME_AGAIN_CAP_MS), leaving);
      } finally {
        clearInterval(late);
      }
    }
  }

  /** Takes tasks again after a pause; nothing while there is no channel. */
  async take(): Promise<void> {
    await this.current?.consumer.take();
  }

  async pause(): Promise<void> {
    await this.current?.consumer.pause();
  }

  /** From now on each ack leaves at once. */
  drain(): void {
    this.current?.deliveries.drain();
  }

  /** Consumes until the worker stops, the channel is lost, or the broker cancels the consumer. */
  private async consume(channel: ConfirmChannel, onConsuming: () => void): Promise<void> {
    const { queueName, capacity, leaving, stopped } = this.host;
    const lost = controllerForMany();
    let end: (problem?: MercuryError) => void = () => undefined;
    const ended = new Promise<MercuryError | undefined>((resolve) => (end = resolve));
    const onStopped = () => end();
    stopped.addEventListener('abort', onStopped);
    if (stopped.aborted) end();
    // Comes before `close`, and says why: the first end counts.
    channel.once('error', (cause: Error) => end(brokerProblem('The channel for consuming was lost', cause)));
    channel.once('close', () => end(new BrokerError('BROKER_CHANNEL_LOST', 'The channel for consuming was lost.')));
    // The first deliveries may come together with the broker's answer: they begin when `start` has resolved.
    let hasBegun = false;
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const deliveries = new Deliveries(channel, lost.signal);
    const onMessage = (message: Message | null) => {
      if (!message) return end(new BrokerError('BROKER_CHANNEL_LOST', CANCELLED));
      const delivery = deliveries.of(message);
      if (hasBegun) this.host.onDelivery(delivery);
      else void begun.then(() => this.host.onDelivery(delivery));
    };
    try {
      // Per consumer, not per channel: RabbitMQ 4.3 refuses the global form.
      await channel.prefetch(capacity, false);
      if (leaving.aborted) return;
      const consumer = new Consumer(channel, queueName, this.host.longestHandlerMs(), this.deafness, onMessage);
      this.current = { deliveries, consumer };
      await consumer.take();
      onConsuming();
      if (!leaving.aborted) this.host.onReady();
      hasBegun = true;
      begin();
      this.host.onConsuming(channel, deliveries, lost.signal);
      const hasRoom = () => this.host.hasRoom();
      void consumer.untilDeaf(hasRoom, lost.signal, leaving).then((deaf) => deaf && end(deaf));
      const problem = await ended;
      if (problem) throw problem;
    } finally {
      this.current = undefined;
      stopped.removeEventListener('abort', onStopped);
      const message = 'The delivery was lost: the broker gives the task to another worker.';
      const reason = new BrokerError('BROKER_CHANNEL_LOST', message);
      lost.abort(reason);
      this.host.onLost(reason);
      await deliveries.finish();
      await closeChannel(channel);
    }
  }
}
