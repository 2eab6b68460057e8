import type { Message } from 'amqplib';
import type { Connection } from '../broker/connection';
import type { Publisher } from '../broker/publisher';
import type { Clock } from '../clock';
import { BrokerError, DeadLetterError, PublishError, type MercuryError } from '../errors';
import { Pace } from '../pace';
import type { Identity } from '../tasks/codec';
import { replayOf } from '../tasks/settlement';
import { headersForReplay, historyOf, summaryOf, type DeadLetterSummary } from './dead-letter';
import { matcherOf, type DeadLetterFilter } from './dead-letter-filter';
import { portionsOf, selection } from './dead-letter-page';
import { LONGEST_HOLD_MS } from './dead-queue';
import { sorted, type Reading, type Sight } from './reading';

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

/** What one part of a replay holds, headers and bodies. */
const MOST_HELD_BYTES = 32 * 1_048_576;

/** A letter with all that its replay needs. */
interface Replayable extends DeadLetterSummary {
  identity: Identity;
  /** As it arrived, with its body. */
  arrived: Message;
}

/** Where the letters come from, and where they go. */
interface ReplaySource {
  reading: Reading;
  publisher: Publisher;
  clock: Clock;
}

/** The replay of what matches, with a reading of its own. @throws as `DeadLetters.replay`. */
export async function* replayLetters(
  source: ReplaySource,
  filter: DeadLetterFilter,
  { ratePerSecond, dryRun, signal }: Required<ReplayOptions>,
): AsyncGenerator<ReplayProgress, void, undefined> {
  const { reading } = source;
  const { connection, release } = await reading.reserve();
  try {
    const { letters, ...sight } = await reading.survey(connection, reading.weighed(filter), signal);
    let replayed = 0;
    yield { ...sight, replayed, ids: letters.map(({ id }) => id) };
    if (dryRun) return;
    const matches = matcherOf(filter);
    const pace = new Pace(ratePerSecond);
    const mostLetters = (ratePerSecond * LONGEST_HOLD_MS) / 1_000;
    for (const portion of portionsOf(letters, mostLetters, MOST_HELD_BYTES)) {
      for await (const id of replayPortion(source, connection, matches, portion, pace, signal)) {
        replayed += 1;
        yield { ...sight, replayed, id };
      }
      if (signal.aborted) return;
    }
  } finally {
    await release();
  }
}

type Matcher = ReturnType<typeof matcherOf>;

async function* replayPortion(
  source: ReplaySource,
  connection: Connection,
  matches: Matcher,
  portion: readonly DeadLetterSummary[],
  pace: Pace,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const { reading } = source;
  const isWanted = selection([], portion);
  const look = (identity: Identity, content: Buffer, arrived: Message): Replayable | undefined => {
    const letter = summaryOf(identity, content, reading.queueName);
    // First the filter: of letters that are alike, another may be among those that were seen before.
    return matches(letter, content) && isWanted(letter) ? { ...letter, identity, arrived } : undefined;
  };
  const held = await reading.read(connection, look, signal);
  try {
    for (const letter of sorted(held)) {
      await pace.turn(signal);
      if (signal.aborted) return;
      held.throwIfLost();
      await put(source, letter.found);
      if (!held.take(letter)) throw lostBeforeAck(letter.found.id);
      yield letter.found.id;
    }
  } finally {
    await held.giveBack();
  }
}

async function put(
  { publisher, clock }: ReplaySource,
  { id, originQueue, identity, arrived }: Replayable,
): Promise<void> {
  try {
    const nowMs = clock.nowMs();
    const headers = headersForReplay(identity.headers, originQueue);
    await publisher.publish(replayOf(arrived, { ...identity, headers }, originQueue, historyOf(identity), nowMs));
  } catch (error) {
    if (!(error instanceof PublishError) || error.outcome !== 'returned') throw error;
    const text = `Letter ${id} stays: its queue "${originQueue}" is gone. Start its worker, which declares it.`;
    throw new DeadLetterError('ORIGIN_QUEUE_MISSING', text, { cause: error });
  }
}

function lostBeforeAck(id: string): MercuryError {
  const text = `Task ${id} was put again, but the connection was lost before its letter was taken out: the letter is still there.`;
  return new BrokerError('BROKER_CHANNEL_LOST', text);
}
