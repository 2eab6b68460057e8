import type { Replies } from 'amqplib';

export type ConfirmCallback = (error: unknown, ok: Replies.Empty) => void;

/** The publishes of one channel that are not confirmed yet. */
export class MemoryConfirms {
  /** An object for each publish: several may have the same callback. */
  private readonly open = new Set<{ readonly callback: ConfirmCallback }>();
  private hasLost = false;
  private waiting: (() => void)[] = [];

  /** Returns what confirms this one, or with an error refuses it. */
  add(callback: ConfirmCallback): (error: Error | null) => void {
    const publish = { callback };
    this.open.add(publish);
    return (error) => {
      this.open.delete(publish);
      callback(error, {});
      if (this.open.size === 0) this.endWaiting();
    };
  }

  /** Rejects when some are lost. */
  async untilNone(): Promise<void> {
    if (this.open.size > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.hasLost) throw new Error('channel closed');
  }

  /** What is not confirmed by now stays unknown. */
  lose(): void {
    this.hasLost = this.open.size > 0;
    const lost = [...this.open];
    this.open.clear();
    for (const { callback } of lost) callback(new Error('channel closed'), {});
    this.endWaiting();
  }

  private endWaiting(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
