import type { ConfirmChannel, Message, MessageProperties } from 'amqplib';
import { ackTimeoutMs } from '../broker/ack-timeout';
import { closeChannel, type Connection } from '../broker/connection';
import type { Delivery } from '../broker/deliveries';
import { deadQueueOf, reserveDeadQueue } from '../broker/topology';
import { BrokerError, DeadLetterError, brokerProblem } from '../errors';
import { anyAborted, controllerForMany } from '../signals';
import { ack, giveBackAll } from '../tasks/settlement';
import { delay } from '../timing';

/** Most letters that one reading holds. An explicit prefetch: without one RabbitMQ 4 gives a consumer 2,000. */
const MOST_HELD = 10_000;
/** So long may the next letter take: the broker counted it before. */
const SILENCE_MS = 5_000;
/** So long a reading holds its letters at most. */
export const LONGEST_HOLD_MS = 300_000;
/** So long may the broker take until what was given back is in the queue again. */
const BACK_MS = 5_000;
const LOOK_EVERY_MS = 10;
const NOTHING = Buffer.alloc(0);
const NO_PROPERTIES = Object.freeze({}) as MessageProperties;

/** A letter that the reader remembers, and what of it. */
export interface HeldLetter<Found> {
  readonly found: Found;
  readonly delivery: Delivery;
}

/**
 * Keeps other readers away from a dead queue: two at once would each see a part of the letters. Resolves to what ends it.
 * @throws DeadLetterError `DEAD_LETTERS_BUSY`.
 */
export async function reserve(connection: Connection, queueName: string): Promise<() => Promise<void>> {
  const channel = await connection.openChannel();
  try {
    const name = await reserveDeadQueue(channel, queueName);
    return async () => {
      await channel.deleteQueue(name).catch(() => undefined);
      await closeChannel(channel);
    };
  } catch (cause) {
    await closeChannel(channel);
    const { code, message } = cause as Error & { code?: number };
    const isTaken = code === 405 || code === 404 || (code === 403 && message.includes('exclusive'));
    if (!isTaken) throw brokerProblem('Dead letters cannot be read', cause);
    const text = `Somebody else reads "${deadQueueOf(queueName)}" now. Try again when that has ended.`;
    throw new DeadLetterError('DEAD_LETTERS_BUSY', text, { cause });
  }
}

/**
 * The letters at the head of a dead queue, at most 10,000, held unacked so that each is seen once. Bodies are not kept:
 * `look` sees each letter as it arrives and says what is to be remembered of it. Whatever was not taken out goes back.
 */
export class HeldLetters<Found> {
  readonly letters: HeldLetter<Found>[] = [];
  heldCount = 0;
  private takenCount = 0;
  private lateCount = 0;
  private consumerTag: string | undefined;
  private isClosed = false;
  /** The letters are back in the queue, or will be. */
  private readonly lost = controllerForMany();

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly deadQueue: string,
    /** How many letters the queue had. */
    readonly queuedCount: number,
    private readonly look: (message: Message) => Found | undefined,
  ) {
    const problem = new BrokerError(
      'BROKER_CHANNEL_LOST',
      'The channel for reading dead letters was lost; they are back.',
    );
    channel.once('close', () => {
      this.isClosed = true;
      this.lost.abort(problem);
    });
  }

  /** @throws DeadLetterError `DEAD_QUEUE_MISSING`. @throws BrokerError `BROKER_CHANNEL_LOST`. */
  static async read<Found>(
    connection: Connection,
    queueName: string,
    look: (message: Message) => Found | undefined,
    signal: AbortSignal,
  ): Promise<HeldLetters<Found>> {
    const deadQueue = deadQueueOf(queueName);
    const channel = await connection.openChannel();
    let held: HeldLetters<Found> | undefined;
    try {
      const { messageCount } = await channel.checkQueue(deadQueue).catch((cause: unknown) => {
        throw missing(deadQueue, cause);
      });
      held = new HeldLetters(channel, deadQueue, messageCount, look);
      await held.receive(signal);
      return held;
    } catch (error) {
      if (held) await held.giveBack();
      else await closeChannel(channel);
      // Ended by the caller's own signal, whose reason may be anything.
      if (signal.aborted) throw error;
      throw brokerProblem('Dead letters cannot be read', error);
    }
  }

  /** To be asked before anything is done for a letter. @throws BrokerError `BROKER_CHANNEL_LOST` when the letters are back in the queue. */
  throwIfLost(): void {
    this.lost.signal.throwIfAborted();
  }

  /** Takes a letter out of the queue. Resolves to false when the channel was lost: the letter is back in the queue. */
  take(letter: HeldLetter<Found>): boolean {
    const taken = ack(letter.delivery);
    if (taken) this.takenCount += 1;
    return taken;
  }

  /**
   * Gives back what was not taken out, and waits until it is there: the next reading would miss what is still on its way.
   * By nack, which alone does not count toward the delivery limit of RabbitMQ 4.3. The consumer ends first: what is given
   * back must not come here again. And not before: its end makes the broker tell the queue of all acks, some of which it may
   * hold back, and would drop with the channel (rabbit_fifo_client, 4.3: `cancel_checkout`).
   */
  async giveBack(): Promise<void> {
    const { consumerTag } = this;
    if (consumerTag !== undefined) await this.channel.cancel(consumerTag).catch(() => undefined);
    // Also when the broker has cancelled: it need not have taken back all of them.
    if (!this.isClosed) giveBackAll(this.channel);
    const backCount = this.heldCount + this.lateCount - this.takenCount;
    const deadlineMs = performance.now() + BACK_MS;
    try {
      // At least once also when nothing goes back: its answer means that the broker has read the acks.
      while (
        (await this.channel.checkQueue(this.deadQueue)).messageCount < backCount &&
        performance.now() < deadlineMs
      ) {
        await delay(LOOK_EVERY_MS);
      }
    } catch {
      // The channel was lost: the broker takes back what it held.
    }
    await closeChannel(this.channel);
  }

  private async receive(signal: AbortSignal): Promise<void> {
    const wanted = Math.min(this.queuedCount, MOST_HELD);
    if (wanted === 0) return;
    // Exactly so many: when they are here, nothing more is under way that would have to find its consumer.
    await this.channel.prefetch(wanted, false);
    const complete = controllerForMany();
    const silence = setTimeout(() => complete.abort(), SILENCE_MS);
    const onMessage = (message: Message | null) => {
      // The broker has taken the letters back, as it does when they are held for too long: who goes on would repeat them.
      if (!message) this.lost.abort(takenBack(this.deadQueue));
      // Letters that died meanwhile come in the place of those that were taken out. They go back, too.
      if (complete.signal.aborted) return void (this.lateCount += message ? 1 : 0);
      if (message) this.remember(message);
      silence.refresh();
      if (!message || this.heldCount >= wanted) complete.abort();
    };
    try {
      // From RabbitMQ 3.12 on a consumer may say it itself, whatever the policy of the queue is.
      const args = { 'x-consumer-timeout': ackTimeoutMs(LONGEST_HOLD_MS) };
      ({ consumerTag: this.consumerTag } = await this.channel.consume(this.deadQueue, onMessage, { arguments: args }));
      await anyAborted(complete.signal, this.lost.signal, signal);
      this.lost.signal.throwIfAborted();
      signal.throwIfAborted();
    } finally {
      clearTimeout(silence);
    }
  }

  private remember(message: Message): void {
    this.heldCount += 1;
    const found = this.look(message);
    if (found === undefined) return;
    // Only what an ack needs: with its headers a letter takes up to a frame.
    const taken = { fields: message.fields, content: NOTHING, properties: NO_PROPERTIES };
    this.letters.push({ found, delivery: { message: taken, channel: this.channel, lost: this.lost.signal } });
  }
}

function takenBack(deadQueue: string): BrokerError {
  const message = `The broker has taken back the letters of "${deadQueue}", as it does when they are held for too long (consumer_timeout).`;
  return new BrokerError('BROKER_CHANNEL_LOST', message);
}

function missing(deadQueue: string, cause: unknown): unknown {
  if ((cause as { code?: number }).code !== 404) return cause;
  const text = `There is no queue "${deadQueue}": is the queue's name right, and did a worker or client ever run on it?`;
  return new DeadLetterError('DEAD_QUEUE_MISSING', text, { cause });
}
