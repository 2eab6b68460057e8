import type { ConfirmChannel, Message } from 'amqplib';
import { brokerProblem, type MercuryError } from '../errors';
import type { Entry } from './outgoing';
import { PublishChannel } from './publish-channel';

const MOST_UNCONFIRMED = 1_000;
const MOST_UNCONFIRMED_BYTES = 32 * 1_048_576;

/** One channel and what is unconfirmed on it: a replaced channel takes its own accounts with it. */
export class Line {
  readonly publishing: PublishChannel;
  /** In the order in which they were sent. */
  readonly unconfirmed = new Set<Entry>();
  bytes = 0;
  /** Why it was lost, if the broker said so. */
  problem: MercuryError | undefined;

  /**
   * @param onLost called when its channel closes.
   * @param left called when nothing more is to be sent on it.
   */
  constructor(
    readonly channel: ConfirmChannel,
    onLost: (line: Line) => void,
    readonly left: () => void,
  ) {
    this.publishing = new PublishChannel(channel);
    // First in line: amqplib itself tells every open confirm callback at `close` that its publish was refused,
    // where the truth is that nobody knows.
    channel.prependOnceListener('close', () => onLost(this));
    channel.once('error', (cause) => (this.problem = brokerProblem('The channel for publishing was lost', cause)));
    channel.on('return', (message) => this.markReturned(message));
  }

  add(entry: Entry): void {
    this.unconfirmed.add(entry);
    this.bytes += entry.bytes;
  }

  /** Whether it was unconfirmed here until now. */
  delete(entry: Entry): boolean {
    if (!this.unconfirmed.delete(entry)) return false;
    this.bytes -= entry.bytes;
    return true;
  }

  /** All that was unconfirmed. */
  clear(): Entry[] {
    const entries = [...this.unconfirmed];
    this.unconfirmed.clear();
    this.bytes = 0;
    return entries;
  }

  /**
   * A return names no delivery, but comes before its confirm on the same channel (RabbitMQ docs, publishers): so it is
   * matched by message id. Two in flight with the same id and key are both marked: a wrong "not stored" is the safe side.
   */
  private markReturned(message: Message): void {
    for (const entry of this.unconfirmed) {
      const same = entry.messageId === message.properties.messageId;
      if (same && entry.routingKey === message.fields.routingKey) {
        entry.returned = (message.fields as { replyText?: string }).replyText ?? 'NO_ROUTE';
      }
    }
  }
}

/** Whether one more may be unconfirmed: 1,000 messages and 32 MiB at most, on all lines together, or one that is larger. */
export function hasRoom(lines: Iterable<Line>, entry: Pick<Entry, 'bytes'>): boolean {
  let messages = 0;
  let bytes = 0;
  for (const line of lines) {
    messages += line.unconfirmed.size;
    bytes += line.bytes;
  }
  return messages === 0 || (messages < MOST_UNCONFIRMED && bytes + entry.bytes <= MOST_UNCONFIRMED_BYTES);
}
