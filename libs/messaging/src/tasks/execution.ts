import type { Message } from 'amqplib';
import type { Clock } from '../clock';
import { DiscardTask, MercuryError } from '../errors';
import { decodeTask, identify, type DecodedTask, type Identity } from './codec';
import type { Completions } from './completions';
import { firstStackLines } from './history';
import { decideFailure, type Outcome } from './outcome';
import type { PostponeLimits, RetryPolicy } from './retry-policy';
import type { Slot } from './slots';
import type { JsonObject, Task } from './task';
import { expiresAtMsOf, maxAttemptsOf, postponementsOf, tagsOf, timeoutMsOf } from './task-headers';
import { TaskLog, type LogLevel, type LogLine } from './task-log';

/** What executes a task of one type. */
export interface TaskRunner {
  run(task: Task): unknown;
  /** Default: the worker's `handlerTimeoutMs`. */
  timeoutMs?: number;
  /** Attempts in all, the first included. Default: the worker's. */
  maxAttempts?: number;
  /** The delays between attempts, each rounded up to a retry level of the queue. Default: its levels. */
  retryDelaysMs?: readonly number[];
  /** How often, and for how long in all, a task may be postponed. Default: the worker's. */
  postpone?: PostponeLimits;
}

export interface ExecutionContext {
  queueName: string;
  policy: RetryPolicy;
  handlerTimeoutMs: number;
  /** Undefined for a type that nobody handles. */
  runnerOf(type: string): TaskRunner | undefined;
  /** The longest that a task may take which wants a time of its own. */
  longestTimeoutMs(): number;
  clock: Clock;
  onStart(task: Task): void;
  /** The synchronous beginning of its handler took long; less than a moment is not told. */
  onHeld?: ((task: Task, heldMs: number) => void) | undefined;
  /** Undefined where nothing is remembered. */
  completions?: Completions | undefined;
}

export interface Execution {
  identity: Identity;
  /** Undefined when the body could not be decoded. */
  task: Task | undefined;
  outcome: Outcome;
  /** It has succeeded before: its handler was not asked again. */
  isSkipped: boolean;
  durationMs: number;
  /** Of that the synchronous beginning of its handler, if it was more than a moment. */
  heldMs: number;
  /** Where a failure was thrown: the first lines. */
  stack: string[];
  /** What its handler has said; undefined when that is nothing. */
  log: readonly LogLine[] | undefined;
}

/** What no heartbeat suffers from is not worth a word. */
const MOMENT_MS = 100;

/**
 * One attempt, from the bytes to the outcome: decode, find the handler, run it with its timeout, remember its success.
 * Never throws, and knows no channel. The slot's signal is the handler's. A handler that ignores its
 * aborted signal still has exactly this one outcome.
 */
export async function execute(message: Message, context: ExecutionContext, slot: Slot): Promise<Execution> {
  let identity = identify(message);
  // A foreign task without an id of its own is another one at each delivery.
  const completions = message.properties.messageId === identity.id ? context.completions : undefined;
  let startedAtMs = performance.now();
  let task: RunningTask | undefined;
  let runner: TaskRunner | undefined;
  let outcome: Outcome;
  let hasSucceeded: 'yes' | 'no' | 'unknown' = 'no';
  let stack: string[] = [];
  try {
    const decoded = decodeTask(message);
    identity = decoded;
    const known = new RunningTask(decoded, context, slot);
    task = known;
    runner = context.runnerOf(decoded.type);
    known.isRunBy(runner);
    if (completions && runner) hasSucceeded = await completions.has(known);
    startedAtMs = performance.now();
    if (hasSucceeded === 'no') {
      refuseExpired(decoded, context.clock);
      if (!runner) throw unknownType(decoded.type);
      context.onStart(known);
      await run(runner, known, timeoutMsFor(known, runner, context), slot);
    }
    outcome = { kind: hasSucceeded === 'unknown' ? 'released' : 'success' };
  } catch (error) {
    stack = firstStackLines(error);
    const { policy } = context;
    const postponements = postponementsOf(identity.headers);
    const own = policyOf(runner, identity, policy);
    outcome = decideFailure(error, identity.attempt, own, policy.delaysMs, postponements);
  }
  const durationMs = performance.now() - startedAtMs;
  // Before the ack. One whose signal has aborted may have ended early because of that: it is executed again.
  if (completions && task && hasSucceeded === 'no' && outcome.kind === 'success' && !slot.isAborted)
    await completions.add(task);
  const heldMs = task?.heldMs ?? 0;
  return { identity, task, outcome, isSkipped: hasSucceeded === 'yes', durationMs, heldMs, stack, log: task?.lines };
}

/** Notes of a handler that does not begin at once, as in Nest, how long its synchronous beginning has held the event loop. */
export function noteHeld(task: Task, heldMs: number): void {
  if (task instanceof RunningTask) task.noteHeld(heldMs);
}

/** What the caller wants goes before what its type wants, and that before what the worker does. */
export function policyOf(
  runner: TaskRunner | undefined,
  { headers }: Pick<Identity, 'headers'>,
  policy: RetryPolicy,
): RetryPolicy {
  const { retryDelaysMs = policy.delaysMs, postpone } = runner ?? {};
  const { maxCount = policy.postpone.maxCount, maxTotalMs = policy.postpone.maxTotalMs } = postpone ?? {};
  const maxAttempts = maxAttemptsOf(headers) ?? runner?.maxAttempts ?? policy.maxAttempts;
  return { maxAttempts, delaysMs: retryDelaysMs, postpone: { maxCount, maxTotalMs } };
}

/** Longer than the broker was told would have the task taken away while it runs. */
function timeoutMsFor({ headers }: Task, runner: TaskRunner, context: ExecutionContext): number {
  const wantedMs = timeoutMsOf(headers);
  if (wantedMs === undefined) return runner.timeoutMs ?? context.handlerTimeoutMs;
  return Math.min(wantedMs, context.longestTimeoutMs());
}

/** After the question whether it has succeeded: what has is no failure later. */
function refuseExpired({ headers }: DecodedTask, clock: Clock): void {
  const atMs = expiresAtMsOf(headers);
  if (atMs === undefined || clock.nowMs() < atMs) return;
  throw new DiscardTask(`It was not begun before ${new Date(atMs).toISOString()}.`, { code: 'EXPIRED' });
}

/** Not for good: while workers are replaced, the next one to take it may have the handler. */
function unknownType(type: string): MercuryError {
  return new MercuryError('UNKNOWN_TYPE', `No handler for task type "${type}" here.`);
}

/** What a handler gets. Its signal is made when the handler asks for it. */
class RunningTask implements Task {
  readonly id: string;
  readonly type: string;
  readonly body: JsonObject;
  readonly attempt: number;
  readonly enqueuedAtMs: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly queue: string;
  readonly #slot: Slot;
  readonly #context: ExecutionContext;
  #runner: TaskRunner | undefined;
  #heldMs = 0;
  #log: TaskLog | undefined;

  constructor({ id, type, body, attempt, enqueuedAtMs, headers }: DecodedTask, context: ExecutionContext, slot: Slot) {
    this.id = id;
    this.type = type;
    this.body = body;
    this.attempt = attempt;
    this.enqueuedAtMs = enqueuedAtMs;
    this.headers = headers;
    this.queue = context.queueName;
    this.#slot = slot;
    this.#context = context;
  }

  isRunBy(runner: TaskRunner | undefined): void {
    this.#runner = runner;
  }

  get signal(): AbortSignal {
    return this.#slot.signal;
  }

  get maxAttempts(): number {
    return maxAttemptsOf(this.headers) ?? this.#runner?.maxAttempts ?? this.#context.policy.maxAttempts;
  }

  get isLastAttempt(): boolean {
    return this.attempt >= this.maxAttempts;
  }

  get tags(): readonly string[] {
    return tagsOf(this.headers);
  }

  log(level: LogLevel, message: string): void {
    this.#log ??= new TaskLog();
    this.#log.add(level, message, this.#context.clock.nowMs());
  }

  get lines(): readonly LogLine[] | undefined {
    return this.#log?.snapshot();
  }

  get heldMs(): number {
    return this.#heldMs;
  }

  noteHeld(heldMs: number): void {
    if (heldMs < MOMENT_MS) return;
    this.#heldMs += heldMs;
    this.#context.onHeld?.(this, heldMs);
  }
}

function run(runner: TaskRunner, task: RunningTask, timeoutMs: number, slot: Slot): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new MercuryError('HANDLER_TIMEOUT', `The handler did not end within ${timeoutMs} ms.`);
      slot.abort(error);
      reject(error);
    }, timeoutMs);
    const work = async () => runner.run(task);
    const beganAtMs = performance.now();
    const working = work();
    // What has noted itself meanwhile is part of it.
    task.noteHeld(performance.now() - beganAtMs - task.heldMs);
    working.then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });
}
