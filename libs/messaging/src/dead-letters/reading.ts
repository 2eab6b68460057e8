import type { Message } from 'amqplib';
import type { Connection } from '../broker/connection';
import { connectedInTime, type BrokerUse } from '../broker/connections';
import { valueBytes } from '../broker/field-table';
import { identify, type Identity } from '../tasks/codec';
import { deadLetterOf, identityOfLetter, summaryOf, type DeadLetter, type DeadLetterSummary } from './dead-letter';
import { byDeath, matcherOf, type DeadLetterFilter } from './dead-letter-filter';
import { selection } from './dead-letter-page';
import { HeldLetters, reserve, type HeldLetter } from './dead-queue';

/** How far a reading saw. */
export interface Sight {
  /** Letters that match. */
  matched: number;
  /** Letters that were looked at, at most 10,000. */
  held: number;
  /** Whether the queue has more than were looked at. */
  truncated: boolean;
}

/** What is made of each letter that is read; undefined for those that are not wanted. */
export type Look<Found> = (identity: Identity, content: Buffer, message: Message) => Found | undefined;

/** Reads the letters of one dead queue: each reading holds them, and gives back what was not taken. */
export class Reading {
  /**
   * @param timeoutMs how long it waits for the broker.
   * @param leaving ends every reading, with its reason.
   */
  constructor(
    private readonly broker: BrokerUse,
    readonly queueName: string,
    private readonly timeoutMs: number,
    private readonly leaving: AbortSignal,
  ) {}

  /** What matches, in order; nothing is held any more. */
  async survey<Summary extends DeadLetterSummary>(
    connection: Connection,
    look: Look<Summary>,
    signal = this.leaving,
  ): Promise<Sight & { letters: Summary[] }> {
    const held = await this.read(connection, look, signal);
    await held.giveBack();
    return { letters: sorted(held).map(({ found }) => found), ...sightOf(held) };
  }

  /** Some of all letters that were seen, with their bodies: read again, because nobody keeps the bodies of all. */
  async details(
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
    const held = await this.read(connection, look);
    await held.giveBack();
    return sorted(held).map(({ found }) => found);
  }

  summaries(filter: DeadLetterFilter) {
    const matches = matcherOf(filter);
    return (identity: Identity, content: Buffer) => {
      const letter = summaryOf(identity, content, this.queueName);
      return matches(letter, content) ? letter : undefined;
    };
  }

  /** With the bytes that each takes while it is held. */
  weighed(filter: DeadLetterFilter) {
    const summary = this.summaries(filter);
    return (identity: Identity, content: Buffer) => {
      const letter = summary(identity, content);
      return letter && { ...letter, heldBytes: content.length + valueBytes(identity.headers) };
    };
  }

  read<Found>(connection: Connection, look: Look<Found>, signal = this.leaving): Promise<HeldLetters<Found>> {
    const lookAt = (message: Message) => {
      const identity = identityOfLetter(identify(message), message.properties.messageId, message.content);
      return look(identity, message.content, message);
    };
    return HeldLetters.read(connection, this.queueName, lookAt, signal);
  }

  /** Does the work as the one reader of the queue. @throws DeadLetterError, BrokerError as `DeadLetters.list`. */
  async reserved<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const { connection, release } = await this.reserve();
    try {
      return await work(connection);
    } finally {
      await release();
    }
  }

  /** Becomes the one reader of the queue, until `release` is called. */
  async reserve(): Promise<{ connection: Connection; release: () => Promise<void> }> {
    const connection = await this.connected();
    return { connection, release: await reserve(connection, this.queueName) };
  }

  private async connected(): Promise<Connection> {
    const { consuming } = this.broker.connections;
    await connectedInTime(consuming, this.timeoutMs, this.leaving);
    return consuming;
  }
}

/** The letters, the oldest first. */
export function sorted<Found extends DeadLetterSummary>(held: HeldLetters<Found>): HeldLetter<Found>[] {
  return [...held.letters].sort((a, b) => byDeath(a.found, b.found));
}

export function sightOf({ letters, heldCount, queuedCount }: HeldLetters<unknown>): Sight {
  return { matched: letters.length, held: heldCount, truncated: queuedCount > heldCount };
}
