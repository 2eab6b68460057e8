import { realTime } from './real-time';

/**
 * The turns of the event loop in which the broker works: what is asked of it in one is done in the next, so that no answer
 * comes within the call that asks for it.
 */
export class Turns {
  private works: (() => void)[] = [];
  private awake = false;

  /** @param afterWorks runs at the end of each turn. */
  constructor(private readonly afterWorks: () => void) {}

  /** Whether there will be a turn. */
  get isAwake(): boolean {
    return this.awake;
  }

  later(work: () => void): void {
    this.works.push(work);
    this.wake();
  }

  wake(): void {
    if (this.awake) return;
    this.awake = true;
    realTime.inNextTurn(() => {
      this.awake = false;
      for (const work of [...this.works.splice(0), this.afterWorks]) this.attempt(work);
    });
  }

  /** What a callback throws is thrown, but costs the others of the turn nothing. */
  private attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.wake();
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
