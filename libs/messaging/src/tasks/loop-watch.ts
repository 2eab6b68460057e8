import type { Message } from 'amqplib';
import { MercuryError } from '../errors';
import { decodeTask, identify, type DecodedTask } from './codec';
import { policyOf, type Execution, type ExecutionContext } from './execution';
import { decideFailure, type Outcome } from './outcome';
import type { Run } from './settlement';
import type { Task } from './task';
import { executionOf } from './task-headers';

const LOOK_EVERY_MS = 1_000;
/** Where none was negotiated. */
const USUAL_HEARTBEAT_S = 15;
const MOST_REMEMBERED = 1_000;
const MOST_NAMED = 5;
const TURNS = 3;

/** What is to be settled of it. */
interface LostAttempt extends Run {
  task: DecodedTask;
  outcome: Outcome;
}

/**
 * Notices when the event loop stands still, and over whose handler. As long as it does, no heartbeat leaves: the broker ends the
 * connection and gives the task to somebody else, although nobody has failed. The synchronous beginning of a handler is measured; of all
 * that comes later only the gap is seen, and what ran in it.
 */
export class LoopWatch {
  private readonly running = new Set<Task>();
  /** Those that have ended in a gap that was not looked at yet. */
  private endedInGap: Task[] = [];
  private lookedAtMs = performance.now();
  /** What of the gap was measured, and told. */
  private measuredMs = 0;
  private heartbeatMs = USUAL_HEARTBEAT_S * 1_000;
  private timer: NodeJS.Timeout | undefined;
  /** How long attempts held it that may have cost them their delivery, oldest first. */
  private readonly costly = new Map<string, number>();

  /** @param heartbeatS as was negotiated; undefined while there is no connection. */
  constructor(
    private readonly heartbeatS: () => number | undefined,
    private readonly onProblem: (problem: MercuryError) => void,
  ) {}

  start(): void {
    this.lookedAtMs = performance.now();
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  began(task: Task): void {
    this.running.add(task);
  }

  /**
   * Its end is not to be told before the returned promise resolves: after a long time the process first has to hear whether it still has the
   * task. Undefined when there is nothing to wait for.
   * @param isRemembered whether a success is remembered elsewhere: then it is no attempt that was lost.
   */
  ended({ task, outcome, heldMs }: Execution, isRemembered: boolean): Promise<void> | undefined {
    if (!task || !this.running.delete(task)) return undefined;
    if (this.gapMs() >= this.mostMs && this.endedInGap.length < MOST_NAMED) this.endedInGap.push(task);
    if (this.costly.size > 0 && isRemembered && outcome.kind === 'success') this.costly.delete(keyOf(task));
    return heldMs >= this.mostMs ? untilHeard() : undefined;
  }

  /** A handler was measured. Told from half a heartbeat on. */
  held(task: Task, heldMs: number): void {
    this.askHeartbeat();
    if (heldMs < this.mostMs) return;
    this.measuredMs += heldMs;
    if (heldMs >= this.heartbeatMs) this.remember(task, heldMs);
    const { id, type, attempt } = task;
    this.tell(`A handler of "${type}" held the event loop for ${seconds(heldMs)} (task ${id}, attempt ${attempt})`);
  }

  /**
   * Of a task that came again: its attempt that was lost with the connection, as one that failed. Undefined where this process has not seen
   * it hold the loop for longer than a connection bears; those that merely ran beside it never have.
   */
  lostAttemptOf(
    message: Message,
    { runnerOf, policy }: Pick<ExecutionContext, 'runnerOf' | 'policy'>,
  ): LostAttempt | undefined {
    if (!message.fields.redelivered || this.costly.size === 0) return undefined;
    const key = keyOf(identify(message));
    const heldMs = this.costly.get(key);
    if (heldMs === undefined) return undefined;
    this.costly.delete(key);
    const task = decodeTask(message);
    const text = `The handler held the event loop for ${seconds(heldMs)}, and the connection was lost over it.`;
    const error = new MercuryError('LOOP_HELD', text);
    const outcome = decideFailure(error, task.attempt, policyOf(runnerOf(task.type), task, policy), policy.delaysMs);
    return { task, outcome, durationMs: heldMs, stack: [] };
  }

  private get mostMs(): number {
    return this.heartbeatMs / 2;
  }

  /** How much too late the next look is. */
  private gapMs(): number {
    return performance.now() - this.lookedAtMs - LOOK_EVERY_MS;
  }

  private look(): void {
    const unknownMs = this.gapMs() - this.measuredMs;
    const suspects = [...this.endedInGap, ...this.running];
    if (unknownMs >= this.mostMs && suspects.length > 0) this.tell(whileRunning(unknownMs, suspects));
    this.lookedAtMs = performance.now();
    this.measuredMs = 0;
    this.endedInGap = [];
    this.askHeartbeat();
  }

  /** Without a connection the last one counts. */
  private askHeartbeat(): void {
    const heartbeatS = this.heartbeatS();
    if (heartbeatS !== undefined) this.heartbeatMs = (heartbeatS || USUAL_HEARTBEAT_S) * 1_000;
  }

  private remember(task: Task, heldMs: number): void {
    this.costly.set(keyOf(task), heldMs);
    const [oldest] = this.costly.keys();
    if (this.costly.size > MOST_REMEMBERED && oldest !== undefined) this.costly.delete(oldest);
  }

  private tell(what: string): void {
    const why =
      'Nothing else of this process runs meanwhile, and the broker ends a connection from which it hears nothing for two ' +
      `heartbeats of ${seconds(this.heartbeatMs)}. Do such work in a worker thread or in steps.`;
    this.onProblem(new MercuryError('LOOP_HELD', `${what}. ${why}`));
  }
}

/** What has come in meanwhile is heard: above all that the connection is gone. */
async function untilHeard(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function whileRunning(heldMs: number, [first, ...others]: readonly Task[]): string {
  const what = `The event loop stood still for ${seconds(heldMs)}`;
  if (!first) return what;
  if (others.length === 0) return `${what} while of all handlers only one of "${first.type}" ran (task ${first.id})`;
  const types = [...new Set([first, ...others].map(({ type }) => `"${type}"`))];
  const left = types.length - MOST_NAMED;
  const named = `${types.slice(0, MOST_NAMED).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
  return `${what} while ${others.length + 1} handlers ran: one of ${named}, or something else of this process`;
}

function keyOf(task: Pick<Task, 'id' | 'attempt' | 'headers'>): string {
  return `${task.id} ${executionOf(task)}`;
}

function seconds(timeMs: number): string {
  return `${(timeMs / 1_000).toFixed(1)} s`;
}
