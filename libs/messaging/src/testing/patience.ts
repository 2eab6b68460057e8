import { MercuryError } from '../errors';
import { realTime } from './real-time';

/** Tasks that put tasks always have something new. Nobody waits for that longer than so many times the timeout. */
const MOST_TIMEOUTS = 12;

/** How long somebody waits for others: as long as they get on, but not for ever. */
export class Patience {
  private readonly endMs: number;
  private deadlineMs: number;
  private lastCount: number;

  /** @param endedCount how many deliveries have ended: as long as that changes, they get on. */
  constructor(
    private readonly timeoutMs: number,
    private readonly endedCount: () => number,
  ) {
    const nowMs = realTime.nowMs();
    this.endMs = nowMs + MOST_TIMEOUTS * timeoutMs;
    this.deadlineMs = nowMs + timeoutMs;
    this.lastCount = endedCount();
  }

  /**
   * @param onOver called before it throws.
   * @throws MercuryError `STILL_BUSY`, with what it waits for, once it is over.
   */
  check(waitsFor: string, onOver: () => void = () => undefined): void {
    const nowMs = realTime.nowMs();
    const count = this.endedCount();
    if (count !== this.lastCount) this.deadlineMs = nowMs + this.timeoutMs;
    this.lastCount = count;
    if (nowMs <= Math.min(this.endMs, this.deadlineMs)) return;
    onOver();
    throw nowMs > this.endMs
      ? stillBusy(MOST_TIMEOUTS * this.timeoutMs, ALWAYS_NEW)
      : stillBusy(this.timeoutMs, waitsFor);
  }
}

export const ALWAYS_NEW = 'there is always something new: do tasks put tasks?';

function stillBusy(afterMs: number, why: string): MercuryError {
  return new MercuryError('STILL_BUSY', `After ${afterMs} ms ${why}`);
}
