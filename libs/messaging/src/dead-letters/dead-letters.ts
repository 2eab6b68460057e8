import type { Message } from 'amqplib';
import type { Connection } from '../broker/connection';
import { useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { valueBytes } from '../broker/field-table';
import { Publisher } from '../broker/publisher';
import { BrokerError, DeadLetterError, PublishError, isHopeless, stopped, type MercuryError } from '../errors';
import { Events } from '../events';
import { Pace } from '../pace';
import { LinkedSignal, controllerForMany } from '../signals';
import { identify, type Identity } from '../tasks/codec';
import { replayOf } from '../tasks/settlement';
import {
  deadLetterOf,
  historyOf,
  identityOfLetter,
  summaryOf,
  type DeadLetter,
  type DeadLetterSummary,
} from './dead-letter';
import { byDeath, isNarrow, matcherOf, pageOf, type DeadLetterFilter, type Page } from './dead-letter-filter';
import { fittingCount, portionsOf, selection } from './dead-letter-page';
import { LONGEST_HOLD_MS, HeldLetters, reserve, type HeldLetter } from './dead-queue';
import { resolveDeadLetters, type DeadLettersOptions, type ResolvedDeadLetters } from './options';

export const DEAD_LETTER_LIMITS = {
  pageSize: 50,
  largestPage: 1_000,
  /** Of the bodies and headers in one answer of `get`; a letter that has more comes alone. */
  pageBytes: 1_048_576,
  ratePerSecond: 100,
  highestRate: 1_000,
  /** One in ten seconds: a slower replay would keep the queue from other readers for days. */
  lowestRate: 0.1,
} as const;

const DRAIN_TIMEOUT_MS = 5_000;
/** What one part of a replay holds, headers and bodies. */
const MOST_HELD_BYTES = 32 * 1_048_576;

/** How far a reading saw. */
export interface Sight {
  /** Letters that match. */
  matched: number;
  /** Letters that were looked at, at most 10,000. */
  held: number;
  /** Whether the queue has more than were looked at. */
  truncated: boolean;
}

export type DeadLetterPage = Page & Sight;

/** Letters with their bodies. */
export interface DeadLetterDetailPage extends Sight {
  letters: DeadLetter[];
  /** Where the next page begins; missing on the last one. */
  cursor?: string;
}

export interface PageOptions {
  /** 1 to 1,000, default 50. */
  limit?: number;
  /** Of the page before. */
  cursor?: string;
}

export interface ReplayOptions {
  /** At most so many tasks per second, evenly spread. Default 100, 0.1 to 1,000. One follows the confirm of the other. */
  ratePerSecond?: number;
  /** Only tells what matches. */
  dryRun?: boolean;
  /** Ends the replay after the letter that is under way. */
  signal?: AbortSignal;
}

export interface ReplayProgress extends Sight {
  replayed: number;
  /** The letters that match, in their order: in the first report. */
  ids?: string[];
  /** The letter that was just replayed. */
  id?: string;
}

export interface DiscardResult extends Sight {
  discarded: number;
  /** The letters that match, in their order. */
  ids: string[];
}

/** A letter with all that its replay needs. */
interface Replayable extends DeadLetterSummary {
  identity: Identity;
  /** As it arrived, with its body. */
  arrived: Message;
}

/**
 * Reads the dead letters of a work queue, and takes them out: back to work, or away. A reading holds the letters and
 * gives them back; it loses and changes nothing. One reader per queue at a time. An id means every letter that has it.
 *
 * @example
 * await using letters = new DeadLetters({ rabbitUrl: 'amqp://localhost', queueName: 'reports' });
 * for await (const { replayed, matched } of letters.replay({ code: 'WEBHOOK_TIMEOUT' }, { ratePerSecond: 20 })) …
 */
export class DeadLetters {
  readonly events = new Events<ClientEvents>();
  private readonly config: ResolvedDeadLetters;
  private readonly broker: BrokerUse;
  private readonly publisher: Publisher;
  private readonly leaving = controllerForMany();
  private stopping: Promise<void> | undefined;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect: the first reading does. */
  constructor(options: DeadLettersOptions) {
    this.config = resolveDeadLetters(options);
    const onProblem = (problem: BrokerError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `dead letters ${this.config.queueName}`, onProblem);
    const { publishing } = this.broker.connections;
    // Declares nothing: a task whose queue is gone must not be put into a new one that nobody consumes.
    this.publisher = new Publisher(publishing, async () => undefined, this.config.publishTimeoutMs, this.events);
  }

  get queueName(): string {
    return this.config.queueName;
  }

  /**
   * The letters that match, the oldest first.
   * @throws DeadLetterError `DEAD_LETTERS_BUSY`, `DEAD_QUEUE_MISSING`, `DEAD_LETTERS_INVALID`.
   * @throws BrokerError when the broker cannot be reached within `publishTimeoutMs`, or is lost meanwhile.
   */
  async list(filter: DeadLetterFilter = {}, page: PageOptions = {}): Promise<DeadLetterPage> {
    const limit = limitOf(page);
    return this.reserved(async (connection) => {
      const { letters, ...sight } = await this.survey(connection, this.summaries(filter), this.leaving.signal);
      return { ...pageOf(letters, limit, page.cursor), ...sight };
    });
  }

  /**
   * The letters with this id, the oldest first, with history and body; usually one. A page has at most 1 MiB of bodies and
   * headers, and one letter at least. @throws as `list`.
   */
  async get(id: string, page: PageOptions = {}): Promise<DeadLetterDetailPage> {
    const limit = limitOf(page);
    return this.reserved(async (connection) => {
      const { letters: all, ...sight } = await this.survey(
        connection,
        this.weighed({ ids: [id] }),
        this.leaving.signal,
      );
      const { letters: wanted } = pageOf(all, limit, page.cursor);
      const sizes = wanted.map(({ heldBytes }) => heldBytes);
      const fitting = pageOf(all, fittingCount(sizes, DEAD_LETTER_LIMITS.pageBytes), page.cursor);
      const letters = await this.details(connection, all, fitting.letters);
      return { ...fitting, letters, ...sight };
    });
  }

  /**
   * Puts each letter that matches now back on the queue that it came from, under its id, as attempt 1, with its history;
   * then takes it out of the dead queue. Reports what matches, then each letter. Ending the iteration ends the replay.
   * A crash in between puts at most one task twice, and loses none.
   * @throws DeadLetterError as `list`, and `ORIGIN_QUEUE_MISSING`: that letter and those after it stay.
   * @throws PublishError when the broker does not take a task: likewise.
   * @throws MercuryError `STOPPED` when `stop` ends it.
   */
  async *replay(
    filter: DeadLetterFilter,
    options: ReplayOptions = {},
  ): AsyncGenerator<ReplayProgress, void, undefined> {
    const { ratePerSecond = DEAD_LETTER_LIMITS.ratePerSecond, dryRun = false } = options;
    const { lowestRate, highestRate } = DEAD_LETTER_LIMITS;
    const isRate = ratePerSecond >= lowestRate && ratePerSecond <= highestRate;
    if (!isRate) throw invalid(`ratePerSecond must be a number from ${lowestRate} to ${highestRate}`);
    const ended = new LinkedSignal([this.leaving.signal, ...(options.signal ? [options.signal] : [])]);
    try {
      yield* this.reservedReplay(filter, { ratePerSecond, dryRun, signal: ended.signal });
      this.leaving.signal.throwIfAborted();
    } catch (error) {
      // The caller's own wish is no failure.
      if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    } finally {
      ended.release();
    }
  }

  /**
   * Deletes the letters that match.
   * @param filter must ask for something: nothing is discarded by an empty one.
   * @param options `dryRun` only tells what matches.
   * @throws as `list`.
   */
  async discard(filter: DeadLetterFilter, options: { dryRun?: boolean } = {}): Promise<DiscardResult> {
    if (!isNarrow(filter)) throw invalid('say which letters to discard: the filter is empty');
    return this.reserved(async (connection) => {
      const held = await this.read(connection, this.summaries(filter), this.leaving.signal);
      let discarded = 0;
      if (!options.dryRun) for (const letter of held.letters) if (held.take(letter)) discarded += 1;
      await held.giveBack();
      return { ...sightOf(held), discarded, ids: sorted(held).map(({ found }) => found.id) };
    });
  }

  /** Ends what runs, waits up to 5 s for an open confirm, then closes the connection. Safe to call twice. */
  stop(): Promise<void> {
    this.leaving.abort(stopped('reader of dead letters'));
    this.stopping ??= this.publisher.close(DRAIN_TIMEOUT_MS).then(() => this.broker.close());
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async *reservedReplay(
    filter: DeadLetterFilter,
    { ratePerSecond, dryRun, signal }: Required<ReplayOptions>,
  ): AsyncGenerator<ReplayProgress, void, undefined> {
    const connection = await this.connected();
    const release = await reserve(connection, this.queueName);
    try {
      const { letters, ...sight } = await this.survey(connection, this.weighed(filter), signal);
      let replayed = 0;
      yield { ...sight, replayed, ids: letters.map(({ id }) => id) };
      if (dryRun) return;
      const pace = new Pace(ratePerSecond);
      const mostLetters = (ratePerSecond * LONGEST_HOLD_MS) / 1_000;
      for (const portion of portionsOf(letters, mostLetters, MOST_HELD_BYTES)) {
        for await (const id of this.replayPortion(connection, portion, pace, signal)) {
          replayed += 1;
          yield { ...sight, replayed, id };
        }
        if (signal.aborted) return;
      }
    } finally {
      await release();
    }
  }

  private async *replayPortion(
    connection: Connection,
    portion: readonly DeadLetterSummary[],
    pace: Pace,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    const isWanted = selection([], portion);
    const look = (identity: Identity, content: Buffer, arrived: Message): Replayable | undefined => {
      const letter = summaryOf(identity, content, this.queueName);
      return isWanted(letter) ? { ...letter, identity, arrived } : undefined;
    };
    const held = await this.read(connection, look, signal);
    try {
      for (const letter of sorted(held)) {
        await pace.turn(signal);
        if (signal.aborted) return;
        held.throwIfLost();
        await this.put(letter.found);
        if (!held.take(letter)) throw lostBeforeAck(letter.found.id);
        yield letter.found.id;
      }
    } finally {
      await held.giveBack();
    }
  }

  private async put({ id, originQueue, identity, arrived }: Replayable): Promise<void> {
    try {
      const nowMs = this.broker.clock.nowMs();
      await this.publisher.publish(replayOf(arrived, identity, originQueue, historyOf(identity), nowMs));
    } catch (error) {
      if (!(error instanceof PublishError) || error.outcome !== 'returned') throw error;
      const text = `Letter ${id} stays: its queue "${originQueue}" is gone. Start its worker, which declares it.`;
      throw new DeadLetterError('ORIGIN_QUEUE_MISSING', text, { cause: error });
    }
  }

  /** What matches, in order; nothing is held any more. */
  private async survey<Summary extends DeadLetterSummary>(
    connection: Connection,
    look: (identity: Identity, content: Buffer) => Summary | undefined,
    signal: AbortSignal,
  ): Promise<Sight & { letters: Summary[] }> {
    const held = await this.read(connection, look, signal);
    await held.giveBack();
    return { letters: sorted(held).map(({ found }) => found), ...sightOf(held) };
  }

  /** Some of all letters that were seen, with their bodies: read again, because nobody keeps the bodies of all. */
  private async details(
    connection: Connection,
    all: readonly DeadLetterSummary[],
    wanted: readonly DeadLetterSummary[],
  ): Promise<DeadLetter[]> {
    const [first] = wanted;
    if (!first) return [];
    const isWanted = selection(all.slice(0, all.indexOf(first)), wanted);
    const look = (identity: Identity, content: Buffer) => {
      if (identity.id !== first.id || !isWanted(summaryOf(identity, content, this.queueName))) return undefined;
      return deadLetterOf(identity, content, this.queueName);
    };
    const held = await this.read(connection, look, this.leaving.signal);
    await held.giveBack();
    return sorted(held).map(({ found }) => found);
  }

  private summaries(filter: DeadLetterFilter) {
    const matches = matcherOf(filter);
    return (identity: Identity, content: Buffer) => {
      const letter = summaryOf(identity, content, this.queueName);
      return matches(letter, content) ? letter : undefined;
    };
  }

  /** With the bytes that each takes while it is held. */
  private weighed(filter: DeadLetterFilter) {
    const summary = this.summaries(filter);
    return (identity: Identity, content: Buffer) => {
      const letter = summary(identity, content);
      return letter && { ...letter, heldBytes: content.length + valueBytes(identity.headers) };
    };
  }

  private read<Found>(
    connection: Connection,
    look: (identity: Identity, content: Buffer, message: Message) => Found | undefined,
    signal: AbortSignal,
  ): Promise<HeldLetters<Found>> {
    const lookAt = (message: Message) => {
      const identity = identityOfLetter(identify(message), message.properties.messageId, message.content);
      return look(identity, message.content, message);
    };
    return HeldLetters.read(connection, this.queueName, lookAt, signal);
  }

  private async reserved<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const connection = await this.connected();
    const release = await reserve(connection, this.queueName);
    try {
      return await work(connection);
    } finally {
      await release();
    }
  }

  private async connected(): Promise<Connection> {
    this.leaving.signal.throwIfAborted();
    const { consuming } = this.broker.connections;
    const hopeless = controllerForMany();
    const onFailed = (problem: BrokerError) => isHopeless(problem) && hopeless.abort(problem);
    consuming.events.on('failed', onFailed);
    const late = new BrokerError('BROKER_UNREACHABLE', 'The broker was not reached in time.');
    const limit = { timeoutMs: this.config.publishTimeoutMs, reason: late };
    const ended = new LinkedSignal([hopeless.signal, this.leaving.signal], limit);
    try {
      await consuming.untilConnected(ended.signal);
      return consuming;
    } catch (cause) {
      this.leaving.signal.throwIfAborted();
      throw consuming.problem ?? cause;
    } finally {
      ended.release();
      consuming.events.off('failed', onFailed);
    }
  }
}

function limitOf({ limit = DEAD_LETTER_LIMITS.pageSize }: PageOptions): number {
  const isLimit = Number.isInteger(limit) && limit >= 1 && limit <= DEAD_LETTER_LIMITS.largestPage;
  if (!isLimit) throw invalid(`limit must be a whole number from 1 to ${DEAD_LETTER_LIMITS.largestPage}`);
  return limit;
}

function sorted<Found extends DeadLetterSummary>(held: HeldLetters<Found>): HeldLetter<Found>[] {
  return [...held.letters].sort((a, b) => byDeath(a.found, b.found));
}

function sightOf({ letters, heldCount, queuedCount }: HeldLetters<unknown>): Sight {
  return { matched: letters.length, held: heldCount, truncated: queuedCount > heldCount };
}

function invalid(text: string): DeadLetterError {
  return new DeadLetterError('DEAD_LETTERS_INVALID', `${text[0]?.toUpperCase()}${text.slice(1)}.`);
}

function lostBeforeAck(id: string): MercuryError {
  const text = `Task ${id} was put again, but the connection was lost before its letter was taken out: the letter is still there.`;
  return new BrokerError('BROKER_CHANNEL_LOST', text);
}
