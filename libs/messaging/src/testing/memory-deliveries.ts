import type { Consumer, Queue } from './broker/queue';
import { Refusal } from './broker/refusal';
import type { StoredMessage } from './broker/stored-message';

interface Delivered {
  message: StoredMessage;
  queue: Queue;
  consumer: Consumer | undefined;
}

/** What becomes of a message that somebody had in hand. */
export type Settle = (message: StoredMessage, queue: Queue) => void;

/** What one channel has in hand, by its delivery tags. */
export class MemoryDeliveries {
  private lastTag = 0;
  private readonly delivered = new Map<number, Delivered>();

  /** Returns its delivery tag. */
  take(message: StoredMessage, queue: Queue, consumer: Consumer | undefined): number {
    this.lastTag += 1;
    this.delivered.set(this.lastTag, { message, queue, consumer });
    return this.lastTag;
  }

  /** @throws Refusal 406 for one that is not in hand. */
  settle(tag: number, how: Settle): void {
    const delivered = this.delivered.get(tag);
    if (!delivered) throw new Refusal(406, `unknown delivery tag ${tag}`);
    this.delivered.delete(tag);
    if (delivered.consumer) delivered.consumer.inHand -= 1;
    how(delivered.message, delivered.queue);
  }

  settleUpTo(tag: number, how: Settle): void {
    for (const each of [...this.delivered.keys()]) if (each <= tag) this.settle(each, how);
  }

  settleAll(how: Settle): void {
    this.settleUpTo(this.lastTag, how);
  }
}
