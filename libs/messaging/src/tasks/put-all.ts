import { InvalidMessageError, MercuryError, PublishError } from '../errors';
import { delay } from '../timing';
import type { PutOptions } from './put-options';

/** A task of many: its body, and what `put` takes beside it. */
export interface PutItem extends PutOptions {
  body: object;
}

/** What has become of one task. An id is missing when nobody gave one and it was refused before it got one. */
export type PutOutcome = { id: string; stored: true } | { id?: string; stored: false; error: MercuryError };

/** Told once for each task, as soon as it is known: the task itself, and its place among the others, from 0. What it promises is waited for. */
export type OnOutcome = (outcome: PutOutcome, item: PutItem, index: number) => unknown;

export interface PutCounts {
  storedCount: number;
  failedCount: number;
}

/** Sends one task. `stored` rejects with a MercuryError. @throws MercuryError when it is not to be sent. */
export type Submit = (body: object, options: PutOptions) => { id: string; stored: Promise<void> };

export interface PutAllOptions {
  /** Ends it: nothing more is put. */
  signal?: AbortSignal;
}

/** What a client does for those who put many tasks. */
export interface PutAllHost {
  submit: Submit;
  /** Whether one more would be sent at once. */
  hasRoom(): boolean;
  /** Why nothing can be sent now; undefined when it can. */
  problem(): MercuryError | undefined;
  /** How long that may last. */
  timeoutMs: number;
  /** A task was not stored. */
  onFailed(error: MercuryError): void;
}

type Source = Iterable<PutItem> | AsyncIterable<PutItem>;
type SourceIterator = Iterator<PutItem, unknown> | AsyncIterator<PutItem, unknown>;
type Step = IteratorResult<PutItem, unknown>;

/** After so many in a row others have their turn. */
const MOST_IN_A_ROW = 1_000;
/** Whether a broker that was away takes something again. */
const LOOK_EVERY_MS = 20;

/** The outcomes of a list of tasks, in its order. Never rejects: what was not put any more has not been sent. */
export async function putList(host: PutAllHost, tasks: readonly PutItem[], over: AbortSignal): Promise<PutOutcome[]> {
  const outcomes = new Map<number, PutOutcome>();
  let why: unknown;
  try {
    await new PutAll(host, (outcome, _item, index) => outcomes.set(index, outcome), over).run(tasks);
  } catch (reason) {
    why = reason;
  }
  return tasks.map((item, index) => outcomes.get(index) ?? failureOf(item, notSent(why)));
}

/**
 * Puts task after task of a source, with as many unconfirmed as the publisher has room for; it holds no others. While the room is taken by
 * others it has one under way, which waits in line with theirs.
 */
export class PutAll {
  private storedCount = 0;
  private failedCount = 0;
  private underWay = 0;
  /** So many promises of the callback are open. */
  private beingTold = 0;
  /** Why nothing more is taken. Boxed: anything can be thrown. */
  private stopped: { reason: unknown } | undefined;
  private wake: () => void = () => undefined;

  /** @param over aborts when nothing more is to be put. */
  constructor(
    private readonly host: PutAllHost,
    private readonly onOutcome: OnOutcome,
    private readonly over: AbortSignal,
  ) {}

  /**
   * Resolves once each task has its outcome.
   * @throws why it ended before the source did, once everything that was taken has its outcome: what the source or the callback has thrown, the
   * reason of `over`, or that the broker takes nothing.
   */
  async run(source: Source): Promise<PutCounts> {
    const onOver = () => this.stop(this.over.reason);
    this.over.addEventListener('abort', onOver);
    if (this.over.aborted) onOver();
    try {
      if (!this.stopped) await this.take(source);
    } catch (reason) {
      this.stop(reason);
    }
    while (this.underWay + this.beingTold > 0) await this.untilWoken();
    this.over.removeEventListener('abort', onOver);
    if (this.stopped) throw this.stopped.reason;
    return { storedCount: this.storedCount, failedCount: this.failedCount };
  }

  /** @throws what the source throws. */
  private async take(source: Source): Promise<void> {
    const isAsync = Symbol.asyncIterator in source;
    const iterator: SourceIterator = isAsync ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    for (let index = 0; ; index++) {
      if (index % MOST_IN_A_ROW === MOST_IN_A_ROW - 1) await new Promise(setImmediate);
      while (!this.stopped && this.underWay > 0 && !this.host.hasRoom()) await this.untilWoken();
      if (!this.stopped && this.host.problem()) await this.untilUsable();
      if (this.stopped) return close(iterator);
      const coming = iterator.next();
      const step = isAsync ? await this.untilCome(Promise.resolve(coming)) : (coming as Step);
      if (!step) return close(iterator);
      if (step.done === true) return;
      this.put(step.value, index);
    }
  }

  /** Nothing is under way then, which would tell that the broker is there again. */
  private async untilUsable(): Promise<void> {
    const untilMs = performance.now() + this.host.timeoutMs;
    for (let problem = this.host.problem(); problem && !this.stopped; problem = this.host.problem()) {
      if (performance.now() >= untilMs) return this.stop(notTaken(this.host.timeoutMs, problem));
      await delay(LOOK_EVERY_MS, this.over);
    }
  }

  /** Undefined when nothing more is to be put, although it has not come yet. */
  private async untilCome(coming: Promise<Step>): Promise<Step | undefined> {
    let settled: Promise<Step> | undefined;
    const onSettled = () => {
      settled = coming;
      this.wake();
    };
    coming.then(onSettled, onSettled);
    while (!settled && !this.stopped) await this.untilWoken();
    return settled;
  }

  private put(item: PutItem, index: number): void {
    let submitted: ReturnType<Submit>;
    try {
      submitted = this.host.submit(bodyOf(item), item);
    } catch (error) {
      return this.failed(failureOf(item, asMercuryError(error)), item, index);
    }
    const { id, stored } = submitted;
    this.underWay += 1;
    stored.then(
      () => {
        this.underWay -= 1;
        this.storedCount += 1;
        this.tell({ id, stored: true }, item, index);
        this.wake();
      },
      (error: unknown) => {
        this.underWay -= 1;
        this.failed({ id, stored: false, error: asMercuryError(error) }, item, index);
        this.wake();
      },
    );
  }

  private failed(outcome: PutOutcome & { stored: false }, item: PutItem, index: number): void {
    this.failedCount += 1;
    this.host.onFailed(outcome.error);
    this.tell(outcome, item, index);
    // Where there is a problem it may pass.
    if (isAboutAll(outcome.error) && !this.host.problem()) this.stop(outcome.error);
  }

  private tell(outcome: PutOutcome, item: PutItem, index: number): void {
    try {
      const told = this.onOutcome(outcome, item, index);
      if (told instanceof Promise) void this.untilTold(told);
    } catch (reason) {
      this.stop(reason);
    }
  }

  private async untilTold(told: Promise<unknown>): Promise<void> {
    this.beingTold += 1;
    try {
      await told;
    } catch (reason) {
      this.stop(reason);
    }
    this.beingTold -= 1;
    this.wake();
  }

  private stop(reason: unknown): void {
    this.stopped ??= { reason };
    this.wake();
  }

  private untilWoken(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }
}

/** Whether the next would fare no better: it had no turn within the deadline. What cannot be written brings another cause. */
function isAboutAll(error: MercuryError): boolean {
  const { cause } = error;
  return error instanceof PublishError && error.outcome === 'not-sent' && (!cause || cause instanceof MercuryError);
}

/** Why it ended is told already, and a source that hangs is not waited for. */
function close(iterator: SourceIterator): void {
  const closed = (async () => iterator.return?.())();
  closed.catch(() => undefined);
}

/** Whoever has no types may give anything. */
function bodyOf(item: PutItem | undefined | null): object {
  if (typeof item === 'object' && item !== null) return item.body;
  throw new InvalidMessageError('TASK_INVALID', 'Each of the tasks must be an object with a body.');
}

/** Of one that was not put. */
export function failureOf(
  item: Pick<PutItem, 'id'> | undefined | null,
  error: MercuryError,
): PutOutcome & { stored: false } {
  const id: unknown = item?.id;
  return typeof id === 'string' ? { id, stored: false, error } : { stored: false, error };
}

function notSent(why: unknown): PublishError {
  if (why instanceof PublishError) return why;
  const text = why instanceof Error ? why.message : String(why);
  return new PublishError('not-sent', `Not sent, because it ended before: ${text}`, { cause: why });
}

function notTaken(timeoutMs: number, problem: MercuryError): PublishError {
  return new PublishError('not-sent', `Not sent within ${timeoutMs} ms: ${problem.message}`, { cause: problem });
}

function asMercuryError(error: unknown): MercuryError {
  if (error instanceof MercuryError) return error;
  return new InvalidMessageError('TASK_INVALID', `The task cannot be read: ${String(error)}`, { cause: error });
}
