import { randomUUID } from 'node:crypto';
import { HEADER } from './headers';

/** Of publishers and keys together; the oldest are forgotten first. */
const MOST_REMEMBERED = 10_000;
/** Ours are UUIDs. */
const LONGEST_PUBLISHER = 100;

type Headers = Readonly<Record<string, unknown>>;

/** Numbers what one publisher sends, for each key by itself: a subscriber hears all events of a key, or none. */
export class Sequence {
  private readonly publisher = randomUUID();
  private readonly last = new Map<string, number>();

  /** The headers of the next event with this key. */
  next(key: string): Record<string, string | number> {
    const number = (this.last.get(key) ?? 0) + 1;
    remember(this.last, key, number);
    return { [HEADER.publisher]: this.publisher, [HEADER.sequence]: number };
  }
}

/** Notices events that were published and not heard: dropped from a full queue, or sent while nobody was subscribed. */
export class Gaps {
  private readonly heard = new Map<string, number>();

  /** How many events are missing just before this one. Foreign events are not numbered: none. */
  before(key: string, headers: Headers): number {
    const { [HEADER.publisher]: publisher, [HEADER.sequence]: number } = headers;
    const isOurs =
      typeof publisher === 'string' && publisher.length <= LONGEST_PUBLISHER && Number.isSafeInteger(number);
    if (!isOurs) return 0;
    const source = `${publisher} ${key}`;
    const last = this.heard.get(source);
    const current = Number(number);
    // One that overtook another on a replaced channel came already.
    if (last !== undefined && current <= last) return 0;
    remember(this.heard, source, current);
    return last === undefined ? 0 : current - last - 1;
  }
}

function remember(numbers: Map<string, number>, name: string, number: number): void {
  numbers.delete(name);
  numbers.set(name, number);
  const [oldest] = numbers.keys();
  if (numbers.size > MOST_REMEMBERED && oldest !== undefined) numbers.delete(oldest);
}
