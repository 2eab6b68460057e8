import type { ConfirmChannel, Message, Options } from 'amqplib';
import type { Connection } from '@mercury/messaging';
import { uniqueName } from '../../support/rabbit';
import { timeLimit } from '../../support/until';
import type { Environment, Program } from './environment';

/** A quorum queue as Mercury declares them, without anything that a test does not need. */
const QUORUM = { 'x-queue-type': 'quorum' };

/** Programs, channels and queues of one test, which are gone after it. */
export class Stage {
  private readonly programs: Program[] = [];
  private readonly queues = new Set<string>();
  private readonly exchanges = new Set<string>();

  constructor(readonly environment: Environment) {
    afterEach(async () => {
      const last = await this.channel();
      for (const queue of this.queues) await last.deleteQueue(queue);
      for (const exchange of this.exchanges) await last.deleteExchange(exchange);
      this.queues.clear();
      this.exchanges.clear();
      await Promise.all(this.programs.splice(0).map((program) => program.close()));
    });
  }

  async program(): Promise<Program> {
    const program = await this.environment.connect();
    this.programs.push(program);
    return program;
  }

  /** A channel on a connection of its own, unless one is given. */
  async channel(connection?: Connection): Promise<ConfirmChannel> {
    const used = connection ?? (await this.program()).connections.consuming;
    await used.untilConnected(timeLimit(10_000, 'the test is connected'));
    return used.openChannel();
  }

  /** A name for a queue that is deleted after the test. */
  name(prefix = 'conformance'): string {
    const name = uniqueName(prefix);
    this.queues.add(name);
    return name;
  }

  alsoDelete(queue: string): void {
    this.queues.add(queue);
  }

  async queue(channel: ConfirmChannel, args: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const name = this.name();
    await channel.assertQueue(name, { durable: true, arguments: { ...QUORUM, ...args } });
    return name;
  }

  async exchange(channel: ConfirmChannel, type: string, options: Options.AssertExchange = {}): Promise<string> {
    const name = this.exchangeName();
    await channel.assertExchange(name, type, { durable: true, ...options });
    return name;
  }

  exchangeName(): string {
    const name = uniqueName('conformance-exchange');
    this.exchanges.add(name);
    return name;
  }

  /** Everything that waits in a queue, taken off it. */
  async drain(channel: ConfirmChannel, queue: string): Promise<string[]> {
    const contents: string[] = [];
    for (let message = await channel.get(queue); message; message = await channel.get(queue)) {
      contents.push(message.content.toString());
      channel.ack(message);
    }
    return contents;
  }

  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    return this.environment.until(what, holds);
  }

  async untilDepth(channel: ConfirmChannel, queue: string, depth: number): Promise<void> {
    await this.until(`${depth} in ${queue}`, async () => (await channel.checkQueue(queue)).messageCount === depth);
  }
}

/** Resolves to whether the broker took it. */
export function publish(
  channel: ConfirmChannel,
  exchange: string,
  key: string,
  content: string,
  options: Options.Publish = {},
): Promise<'confirmed' | 'nacked'> {
  return new Promise((resolve) => {
    channel.publish(exchange, key, Buffer.from(content), options, (error: unknown) =>
      resolve(error ? 'nacked' : 'confirmed'),
    );
  });
}

export interface Consumption {
  readonly messages: Message[];
  readonly contents: string[];
  isCancelled: boolean;
}

/** Consumes without acking, and remembers what came. */
export async function consume(
  channel: ConfirmChannel,
  queue: string,
  options: Options.Consume & { prefetch?: number; ack?: boolean } = {},
): Promise<Consumption & { consumerTag: string }> {
  const { prefetch = 100, ack = false, ...rest } = options;
  const heard: Consumption = { messages: [], contents: [], isCancelled: false };
  await channel.prefetch(prefetch, false);
  const onMessage = (message: Message | null) => {
    if (!message) return void (heard.isCancelled = true);
    heard.messages.push(message);
    heard.contents.push(message.content.toString());
    if (ack) channel.ack(message);
  };
  const { consumerTag } = await channel.consume(queue, onMessage, rest);
  return Object.assign(heard, { consumerTag });
}

/** The code with which the broker refuses; undefined when it does not. Its channel is closed by then. */
export async function refusalOf(work: Promise<unknown>): Promise<number | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => (error as { code?: number }).code,
  );
}
