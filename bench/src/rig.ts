import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { Redis } from 'ioredis';
import type { RedisServer } from '@mercury/tools/redis';
import type { Broker } from '@mercury/tools/broker';
import { built } from './built';
import type { Target } from './peers/peer';
import { Role } from './role';
import type { FillParams } from './roles/fill';

/** The one retry level of the work `retry`, declared beside the usual ones. */
export const RETRY_DELAY_MS = 100;
/** Large payloads must meet the broker's speed, not its memory alarm. */
const MEMORY_LIMIT_MIB = 2_048;
const LAST_ACKS_MS = 3_000;
const LOOK_EVERY_MS = 20;
const WARM_UP_COUNT = 50_000;

/** The broker and the queue that all works share; Redis as soon as somebody needs it. */
export class Rig {
  readonly queueName = `bench-${randomBytes(3).toString('hex')}`;
  private redis: RedisServer | undefined;
  private redisClient: Redis | undefined;

  private constructor(
    readonly rabbitUrl: string,
    readonly brokerVersion: string,
    private readonly broker: Broker | undefined,
    private readonly connection: ChannelModel,
    private readonly channel: Channel,
    private readonly say: (line: string) => void,
  ) {}

  /** The broker at RABBITMQ_URL, else a private one. */
  static async open(say: (line: string) => void): Promise<Rig> {
    const given = process.env['RABBITMQ_URL'];
    const broker = given
      ? undefined
      : await built.broker().acquireBroker({ memoryLimitMib: MEMORY_LIMIT_MIB, log: say });
    const rabbitUrl = given ?? broker?.amqpUrl ?? '';
    const connection = await connect(rabbitUrl);
    const { version = 'unknown' } = connection.connection.serverProperties as { version?: string };
    const rig = new Rig(rabbitUrl, version, broker, connection, await connection.createChannel(), say);
    await rig.declare();
    return rig;
  }

  /** By Mercury itself: the peers use its work queue as it is. */
  private async declare(): Promise<void> {
    const { WorkerClient } = built.messaging();
    const client = new WorkerClient({
      rabbitUrl: this.rabbitUrl,
      queueName: this.queueName,
      retryDelaysMs: [RETRY_DELAY_MS],
    });
    await client.put({ type: 'order.paid' });
    await client.stop();
    // A broker that has just started is slower: what is measured first would look worse than it is.
    const target = await this.target(false);
    await Role.run('fill', { ...target, form: 'task', bytes: 256, count: WARM_UP_COUNT } satisfies FillParams);
    await this.empty();
  }

  async target(needsRedis: boolean): Promise<Target> {
    if (needsRedis && !this.redis) {
      this.redis = await built.redis().RedisServer.open(this.say);
      this.redisClient = new Redis(this.redis.url);
    }
    return { rabbitUrl: this.rabbitUrl, redisUrl: this.redis?.url ?? '', queueName: this.queueName };
  }

  /** Of what earlier measurements left, wherever they left it. */
  async empty(): Promise<void> {
    await this.channel.purgeQueue(this.queueName);
    await this.redisClient?.flushall();
  }

  /** Tasks that wait to be delivered, in the queue or as jobs in Redis. */
  async waitingCount(): Promise<number> {
    const { messageCount } = await this.channel.checkQueue(this.queueName);
    return messageCount + ((await this.redisClient?.llen(`bull:${this.queueName}:wait`)) ?? 0);
  }

  /** Whether everything was acked. The queue works off the last acks after the channel that sent them is closed. */
  async isEmptied(): Promise<boolean> {
    const deadlineMs = performance.now() + LAST_ACKS_MS;
    while (performance.now() < deadlineMs) {
      if ((await this.waitingCount()) === 0) return true;
      await pause(LOOK_EVERY_MS);
    }
    return false;
  }

  async close(): Promise<void> {
    // A broker of its own goes with all that is in it.
    if (!this.broker) await this.removeQueues();
    await this.connection.close().catch(() => undefined);
    await this.broker?.release();
    this.redisClient?.disconnect();
    await this.redis?.close();
  }

  private async removeQueues(): Promise<void> {
    const { DEFAULTS, DELAY_LEVELS_MS, deadQueueOf, delayQueueOf, dueQueueOf, retryQueueOf, suspectQueueOf } =
      built.messaging();
    const queues = [
      ...[RETRY_DELAY_MS, ...DEFAULTS.retryDelaysMs].map((levelMs) => retryQueueOf(this.queueName, levelMs)),
      ...DELAY_LEVELS_MS.map((levelMs) => delayQueueOf(this.queueName, levelMs)),
      ...[deadQueueOf, dueQueueOf, suspectQueueOf].map((nameOf) => nameOf(this.queueName)),
      this.queueName,
    ];
    for (const queue of queues) await this.channel.deleteQueue(queue).catch(() => undefined);
    await this.channel.deleteExchange(`${this.queueName}-logs`).catch(() => undefined);
  }
}
