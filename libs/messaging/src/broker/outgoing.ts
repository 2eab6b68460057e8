import type { PublishError } from '../errors';
import type { Publication } from './frames';

/** What waits for a connection is bounded, too: more is refused at once instead of filling the memory. */
const MOST_WAITING = 20_000;
const MOST_WAITING_BYTES = 64 * 1_048_576;

/** A message to be published. */
export interface Outgoing extends Publication {
  /** A function is asked at the moment of sending: what waits for a connection may belong elsewhere by then. */
  routingKey: string | (() => string);
  /** Once sent, waits for its confirm as long as the channel lives: sending it again would only make copies. */
  patient?: boolean;
}

/** What is known of a message until it ends. The message itself is kept only as long as it waits. */
export interface Entry {
  messageId: string | undefined;
  bytes: number;
  patient: boolean;
  /** Once sent. */
  routingKey?: string;
  startedAtMs: number;
  returned: string | undefined;
  settled: boolean;
  resolve(): void;
  reject(error: PublishError): void;
}

/** What waits until it can be sent, in order. */
export class Waiting {
  private readonly messages = new Map<Entry, Outgoing>();
  private bytes = 0;

  get size(): number {
    return this.messages.size;
  }

  entries(): Iterable<Entry> {
    return this.messages.keys();
  }

  has(entry: Entry): boolean {
    return this.messages.has(entry);
  }

  /** One message alone may be as large as it is. */
  isFull({ bytes }: Entry): boolean {
    return this.size >= MOST_WAITING || (this.size > 0 && this.bytes + bytes > MOST_WAITING_BYTES);
  }

  add(entry: Entry, message: Outgoing): void {
    this.messages.set(entry, message);
    this.bytes += entry.bytes;
  }

  /** Its message; undefined when it does not wait. */
  delete(entry: Entry): Outgoing | undefined {
    const message = this.messages.get(entry);
    if (this.messages.delete(entry)) this.bytes -= entry.bytes;
    return message;
  }
}
