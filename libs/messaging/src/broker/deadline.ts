/** What ends in time. */
interface Timed {
  readonly startedAtMs: number;
}

/**
 * One timer for all that is pending: every one has the same timeout, so the oldest is the first to be late. It outlives what it
 * was made for, and must not keep the process alive for that: the connection does while anything is pending.
 */
export class Deadline<Item extends Timed> {
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param pending what has a deadline now, the oldest of each kind first.
   * @param onLate called for each that is late; it is pending no more afterwards.
   */
  constructor(
    private readonly timeoutMs: number,
    private readonly pending: () => Iterable<Item>,
    private readonly onLate: (item: Item) => void,
  ) {}

  /** To be called whenever something has become pending. */
  arm(): void {
    if (this.timer) return;
    const [oldest] = this.pending();
    if (!oldest) return;
    const dueInMs = Math.max(1, oldest.startedAtMs + this.timeoutMs - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.endLate();
      this.arm();
    }, dueInMs).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  isLate({ startedAtMs }: Timed): boolean {
    return startedAtMs <= performance.now() - this.timeoutMs;
  }

  private endLate(): void {
    for (const item of this.pending()) if (this.isLate(item)) this.onLate(item);
  }
}
