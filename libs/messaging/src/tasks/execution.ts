import type { Message } from 'amqplib';
import { MercuryError } from '../errors';
import { decodeTask, identify, type DecodedTask, type Identity } from './codec';
import type { Completions } from './completions';
import { firstStackLines } from './history';
import { decideFailure, type Outcome } from './outcome';
import type { PostponeLimits, RetryPolicy } from './retry-policy';
import type { Slot } from './slots';
import type { JsonObject, Task } from './task';
import { postponementsOf } from './task-headers';

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
    if (!runner) throw unknownType(decoded.type);
    if (completions) hasSucceeded = await completions.has(known);
    startedAtMs = performance.now();
    if (hasSucceeded === 'no') {
      context.onStart(known);
      await run(runner, known, runner.timeoutMs ?? context.handlerTimeoutMs, slot);
    }
    outcome = { kind: hasSucceeded === 'unknown' ? 'released' : 'success' };
  } catch (error) {
    stack = firstStackLines(error);
    const { policy } = context;
    const postponements = postponementsOf(identity.headers);
    outcome = decideFailure(error, identity.attempt, policyOf(runner, policy), policy.delaysMs, postponements);
  }
  const durationMs = performance.now() - startedAtMs;
  // Before the ack. One whose signal has aborted may have ended early because of that: it is executed again.
  if (completions && task && hasSucceeded === 'no' && outcome.kind === 'success' && !slot.isAborted)
    await completions.add(task);
  const heldMs = task?.heldMs ?? 0;
  return { identity, task, outcome, isSkipped: hasSucceeded === 'yes', durationMs, heldMs, stack };
}

/** Notes of a handler that does not begin at once, as in Nest, how long its synchronous beginning has held the event loop. */
export function noteHeld(task: Task, heldMs: number): void {
  if (task instanceof RunningTask) task.noteHeld(heldMs);
}

export function policyOf(runner: TaskRunner | undefined, policy: RetryPolicy): RetryPolicy {
  const { maxAttempts = policy.maxAttempts, retryDelaysMs = policy.delaysMs, postpone } = runner ?? {};
  const { maxCount = policy.postpone.maxCount, maxTotalMs = policy.postpone.maxTotalMs } = postpone ?? {};
  return { maxAttempts, delaysMs: retryDelaysMs, postpone: { maxCount, maxTotalMs } };
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
  #heldMs = 0;

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

  get signal(): AbortSignal {
    return this.#slot.signal;
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
