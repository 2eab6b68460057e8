import { useConnections, type BrokerUse } from '../broker/connections';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { DeadLetterError, stopped, type BrokerError } from '../errors';
import { Events } from '../events';
import { LinkedSignal, controllerForMany } from '../signals';
import type { DeadLetter } from './dead-letter';
import { isNarrow, pageOf, type DeadLetterFilter, type Page } from './dead-letter-filter';
import { fittingCount } from './dead-letter-page';
import { resolveDeadLetters, type DeadLettersOptions, type ResolvedDeadLetters } from './options';
import { Reading, sightOf, sorted, type Sight } from './reading';
import { replayLetters, type ReplayOptions, type ReplayProgress } from './replay';

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

export interface DiscardResult extends Sight {
  discarded: number;
  /** The letters that match, in their order. */
  ids: string[];
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
  private readonly reading: Reading;
  private readonly leaving = controllerForMany();
  private stopping: Promise<void> | undefined;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect: the first reading does. */
  constructor(options: DeadLettersOptions) {
    this.config = resolveDeadLetters(options);
    const onProblem = (problem: BrokerError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `dead letters ${this.config.queueName}`, onProblem);
    const { publishing } = this.broker.connections;
    this.reading = new Reading(this.broker, this.config.queueName, this.config.publishTimeoutMs, this.leaving.signal);
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
    return this.reading.reserved(async (connection) => {
      const { letters, ...sight } = await this.reading.survey(connection, this.reading.summaries(filter));
      return { ...pageOf(letters, limit, page.cursor), ...sight };
    });
  }

  /**
   * The letters with this id, the oldest first, with history and body; usually one. A page has at most 1 MiB of bodies and
   * headers, and one letter at least. @throws as `list`.
   */
  async get(id: string, page: PageOptions = {}): Promise<DeadLetterDetailPage> {
    const limit = limitOf(page);
    return this.reading.reserved(async (connection) => {
      const { letters: all, ...sight } = await this.reading.survey(connection, this.reading.weighed({ ids: [id] }));
      const { letters: wanted } = pageOf(all, limit, page.cursor);
      const sizes = wanted.map(({ heldBytes }) => heldBytes);
      const fitting = pageOf(all, fittingCount(sizes, DEAD_LETTER_LIMITS.pageBytes), page.cursor);
      const letters = await this.reading.details(connection, all, fitting.letters);
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
    const { reading, publisher } = this;
    const ended = new LinkedSignal([this.leaving.signal, ...(options.signal ? [options.signal] : [])]);
    try {
      yield* replayLetters({ reading, publisher, clock: this.broker.clock }, filter, {
        ratePerSecond,
        dryRun,
        signal: ended.signal,
      });
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
    return this.reading.reserved(async (connection) => {
      const held = await this.reading.read(connection, this.reading.summaries(filter));
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
}

function limitOf({ limit = DEAD_LETTER_LIMITS.pageSize }: PageOptions): number {
  const isLimit = Number.isInteger(limit) && limit >= 1 && limit <= DEAD_LETTER_LIMITS.largestPage;
  if (!isLimit) throw invalid(`limit must be a whole number from 1 to ${DEAD_LETTER_LIMITS.largestPage}`);
  return limit;
}

function invalid(text: string): DeadLetterError {
  return new DeadLetterError('DEAD_LETTERS_INVALID', `${text[0]?.toUpperCase()}${text.slice(1)}.`);
}
