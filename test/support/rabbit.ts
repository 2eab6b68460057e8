import { randomBytes } from 'node:crypto';
import { connect, type Channel, type ChannelModel, type GetMessage, type Options } from 'amqplib';
import {
  DEFAULTS,
  DELAY_LEVELS_MS,
  deadQueueOf,
  delayQueueOf,
  dueQueueOf,
  retryQueueOf,
  suspectQueueOf,
} from '@mercury/messaging';

/** The broker of this run, by plain amqplib: what a program that knows nothing of Mercury sees. */
export class Rabbit {
  private constructor(
    private readonly model: ChannelModel,
    readonly url: string,
  ) {}

  static async connect(url = rabbitUrl()): Promise<Rabbit> {
    return new Rabbit(await connect(url), url);
  }

  /** A channel of its own for each use: a refused operation closes its channel. */
  async use<Result>(work: (channel: Channel) => Promise<Result>): Promise<Result> {
    const channel = await this.model.createConfirmChannel();
    channel.on('error', () => undefined);
    try {
      return await work(channel);
    } finally {
      await channel.close().catch(() => undefined);
    }
  }

  send(queue: string, content: string | Buffer, options: Options.Publish = {}): Promise<void> {
    return this.use(async (channel) => {
      channel.sendToQueue(queue, Buffer.from(content), options);
      await (channel as unknown as { waitForConfirms(): Promise<void> }).waitForConfirms();
    });
  }

  /** The next message, taken off the queue; undefined when it is empty. */
  take(queue: string): Promise<GetMessage | undefined> {
    return this.use(async (channel) => (await channel.get(queue, { noAck: true })) || undefined);
  }

  /** What a worker does that dies over the first `count` messages, so many times. */
  async dieOver(queue: string, count: number, times: number): Promise<void> {
    for (let death = 0; death < times; death++) {
      const model = await connect(this.url);
      const channel = await model.createChannel();
      for (let taken = 0; taken < count; taken++) {
        if (!(await channel.get(queue, { noAck: false })))
          throw new Error(`Queue ${queue} has only ${taken} messages.`);
      }
      await model.close();
    }
  }

  /** How many messages are ready; undefined when there is no such queue. */
  depth(queue: string): Promise<number | undefined> {
    return this.use(async (channel) => (await channel.checkQueue(queue)).messageCount).catch((error: unknown) => {
      if ((error as { code?: number }).code === 404) return undefined;
      throw error;
    });
  }

  /** Deletes a work queue and all that belongs to it. */
  async deleteQueues(queueName: string, delaysMs: readonly number[] = DEFAULTS.retryDelaysMs): Promise<void> {
    const retries = delaysMs.map((levelMs) => retryQueueOf(queueName, levelMs));
    const delays = DELAY_LEVELS_MS.map((levelMs) => delayQueueOf(queueName, levelMs));
    const others = [deadQueueOf(queueName), suspectQueueOf(queueName), dueQueueOf(queueName)];
    for (const queue of [queueName, ...others, ...retries, ...delays]) {
      await this.use((channel) => channel.deleteQueue(queue));
    }
  }

  close(): Promise<void> {
    return this.model.close();
  }
}

export function rabbitUrl(): string {
  const url = process.env['RABBITMQ_URL'];
  if (!url) throw new Error('RABBITMQ_URL is not set: run the e2e tests with `npm run test:e2e`.');
  return url;
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
