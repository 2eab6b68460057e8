import { MercuryError, describeError } from '../errors';
import { backoffMs, delay } from '../timing';
import type { KeyStore } from './key-store';
import type { Task } from './task';

const ASK_AGAIN_CAP_MS = 2_000;
/** Of successes that the store did not take: some 2 MB. */
const MOST_UNSTORED = 10_000;

/** Remembers which tasks of a queue have succeeded. A task is what has one id on one queue, whatever its type. */
export class Completions {
  /** Tasks whose store does not answer, each with why. They wait, and are not executed. */
  private readonly waiting = new Map<Task, MercuryError>();
  /** Keys of tasks that have succeeded here, and that the store does not know yet; the oldest are forgotten first. */
  private readonly unstored = new Set<string>();
  private notStored: MercuryError | undefined;
  private isMakingUp = false;

  /** @param leaving aborts when the worker is told to stop: then nobody waits any more. */
  constructor(
    private readonly store: KeyStore,
    private readonly ttlMs: number,
    private readonly leaving: AbortSignal,
    private readonly onProblem: (problem: MercuryError) => void,
  ) {}

  /** Why tasks wait, or what has succeeded is not stored; undefined when all is well. */
  get problem(): MercuryError | undefined {
    const [why] = this.waiting.values();
    return why ?? this.notStored;
  }

  /**
   * Whether the task has succeeded before. Waits as long as the store does not answer: a task that is executed without
   * asking may be executed twice, and one that fails instead would lose an attempt. Never throws.
   * @returns `unknown` when the worker stops, or loses the task, before it can begin.
   */
  async has(task: Task): Promise<'yes' | 'no' | 'unknown'> {
    try {
      for (let failures = 1; !this.isOver(task); failures++) {
        const found = await this.ask(task);
        if (found !== 'unknown' && !this.isOver(task)) return found;
        await delay(backoffMs(failures, ASK_AGAIN_CAP_MS), this.leaving, task.signal);
      }
      return 'unknown';
    } finally {
      this.waiting.delete(task);
    }
  }

  /**
   * Tried once, and never throws: the task has succeeded, whether that is remembered or not. To hold it back would only
   * leave more time in which its delivery can be lost, and with it the task executed again. What the store did not take is remembered in this process
   * until it does.
   */
  async add(task: Task): Promise<void> {
    try {
      await this.store.setIfAbsent(keyOf(task), 'succeeded', this.ttlMs);
    } catch (cause) {
      this.keep(keyOf(task));
      const message = `Task ${task.id} has succeeded, but only this process remembers it: ${describeError(cause).message}`;
      this.notStored = new MercuryError('COMPLETION_NOT_STORED', message, { cause });
      this.onProblem(this.notStored);
      void this.makeUp();
    }
  }

  private keep(key: string): void {
    this.unstored.add(key);
    const [oldest] = this.unstored;
    if (this.unstored.size > MOST_UNSTORED && oldest !== undefined) this.unstored.delete(oldest);
  }

  /** Gives the store what it did not take, as soon as it takes it. */
  private async makeUp(): Promise<void> {
    if (this.isMakingUp) return;
    this.isMakingUp = true;
    for (let failures = 1; this.unstored.size > 0 && !this.leaving.aborted; failures++) {
      await delay(backoffMs(failures, ASK_AGAIN_CAP_MS), this.leaving);
      await this.storeAll().catch(() => undefined);
    }
    this.isMakingUp = false;
    this.notStored = undefined;
  }

  private async storeAll(): Promise<void> {
    for (const key of this.unstored) {
      await this.store.setIfAbsent(key, 'succeeded', this.ttlMs);
      this.unstored.delete(key);
    }
  }

  private async ask(task: Task): Promise<'yes' | 'no' | 'unknown'> {
    if (this.unstored.has(keyOf(task))) return 'yes';
    try {
      return (await this.store.get(keyOf(task))) === undefined ? 'no' : 'yes';
    } catch (error) {
      this.hold(task, error);
      return 'unknown';
    }
  }

  private isOver(task: Task): boolean {
    return this.leaving.aborted || task.signal.aborted;
  }

  private hold(task: Task, cause: unknown): void {
    const message = `Tasks wait: whether they have succeeded before is not known. ${describeError(cause).message}`;
    const isFirst = this.waiting.size === 0;
    const problem = new MercuryError('KEY_STORE_UNAVAILABLE', message, { cause });
    this.waiting.set(task, problem);
    if (isFirst) this.onProblem(problem);
  }
}

/** An id has no spaces, a queue's name may have any character. */
function keyOf({ id, queue }: Task): string {
  return `succeeded ${id} ${queue}`;
}
