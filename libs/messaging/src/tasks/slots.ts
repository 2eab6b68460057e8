interface Waiting {
  lost: AbortSignal;
  resolve: (slot: Slot | undefined) => void;
}

/** What runs in a slot can be told to stop. The signal is made for those who ask for it: it costs more than a short task. */
export class Slot {
  private controller: AbortController | undefined;
  private reason: Error | undefined;

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.reason) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  get isAborted(): boolean {
    return this.reason !== undefined;
  }

  abort(reason: Error): void {
    this.reason ??= reason;
    this.controller?.abort(reason);
  }
}

/**
 * The slots of a worker. The broker keeps to the capacity by its prefetch, but counts from zero on a new channel: handlers
 * that still run for a lost one keep their slots here, and what arrives meanwhile waits.
 */
export class Slots {
  private readonly running = new Set<Slot>();
  private waiting: Waiting[] = [];
  private whenIdle: (() => void)[] = [];

  constructor(private readonly capacity: number) {}

  get runningCount(): number {
    return this.running.size;
  }

  /**
   * Runs the work once a slot is free, unless its delivery is lost by then. Resolves or rejects as the work does.
   * @param lost aborts when somebody else gets the delivery.
   */
  async run(lost: AbortSignal, work: (slot: Slot) => Promise<void>): Promise<void> {
    const slot = this.running.size < this.capacity ? this.hold() : await this.untilFree(lost);
    if (!slot) return;
    try {
      await work(slot);
    } finally {
      this.free(slot);
    }
  }

  /** Lets everything that waits start now, whatever the capacity: to be given back. */
  startWaiting(): void {
    for (const { lost, resolve } of this.waiting.splice(0)) resolve(lost.aborted ? undefined : this.hold());
  }

  abortAll(reason: Error): void {
    for (const slot of this.running) slot.abort(reason);
  }

  /** Resolves once nothing runs. */
  async untilIdle(): Promise<void> {
    if (this.running.size > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  private hold(): Slot {
    const slot = new Slot();
    this.running.add(slot);
    return slot;
  }

  private untilFree(lost: AbortSignal): Promise<Slot | undefined> {
    for (const { resolve } of this.waiting.filter((earlier) => earlier.lost.aborted)) resolve(undefined);
    this.waiting = this.waiting.filter((earlier) => !earlier.lost.aborted);
    return new Promise((resolve) => this.waiting.push({ lost, resolve }));
  }

  private free(slot: Slot): void {
    this.running.delete(slot);
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      next.resolve(next.lost.aborted ? undefined : this.hold());
      if (!next.lost.aborted) break;
    }
    if (this.running.size === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}
