import { closeChannel, type Connection } from '../broker/connection';
import { useConnections, type BrokerUse } from '../broker/connections';
import { declareScheduleQueue, declareTaskTopology, scheduleQueueOf } from '../broker/topology';
import type { Clock } from '../clock';
import { BrokerError, MercuryError, brokerProblem, isHopeless, stopped } from '../errors';
import { Events } from '../events';
import { LinkedSignal, controllerForMany } from '../signals';
import { encodeTask } from '../tasks/codec';
import { backoffMs, delay, within } from '../timing';
import type { SchedulerEvents } from './events';
import { Leadership } from './leadership';
import { resolveScheduler, type ResolvedScheduler, type SchedulerOptions } from './options';
import { stepOf, tickId, type Schedule, type Step } from './schedule';
import { adoptSchedules, type ScheduleState } from './schedule-state';

const AGAIN_CAP_MS = 5_000;
const STOP_TIMEOUT_MS = 5_000;
const REFUSED_AGAIN_CAP_MS = 1_000;
/** The state in hand is replaced by a new one before a broker could find its ack overdue (consumer_timeout is a minute at least). */
const RENEW_EVERY_MS = 30_000;
const LATE_CONFIRM_MS = 5_000;
/** Clocks differ by less; ticks that are done further ahead are those of a wrong one. */
const AHEAD_MS = 60_000;
const MOST_AT_ONCE = 100;

/**
 * Puts tasks at the times of its schedules: one task per tick, however many replicas run. One of them leads; when it is
 * gone another goes on where it was. A leader that is killed after a put and before it has noted it leaves that tick to be
 * put again, with the same task id.
 *
 * @example
 * const schedules = [{ name: 'nightly', cron: '0 3 * * *', timeZone: 'Europe/Berlin', type: 'report', body: { days: 1 } }];
 * const scheduler = new Scheduler({ rabbitUrl: 'amqp://localhost', queueName: 'reports', schedules });
 * await scheduler.start();
 */
export class Scheduler {
  readonly events = new Events<SchedulerEvents>();
  private readonly config: ResolvedScheduler;
  private readonly broker: BrokerUse;
  private readonly leaving = controllerForMany();
  /** What this replica knows: what it did as a leader, and what it has heard as one. */
  private readonly state: ScheduleState = new Map();
  private leads = false;
  private currentProblem: MercuryError | undefined;
  private onProblem: (problem: MercuryError) => void = (problem) => (this.currentProblem = problem);
  private starting: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  /** @throws ConfigError `CONFIG_INVALID`, with every problem of every schedule. Does not connect: `start` does. */
  constructor(options: SchedulerOptions) {
    this.config = resolveScheduler(options);
    const onProblem = (problem: MercuryError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `scheduler ${this.config.queueName}`, onProblem);
    if (this.hasWork) this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The scheduler is not started.');
  }

  get queueName(): string {
    return this.config.queueName;
  }

  /** Whether this replica is the one that enqueues now. */
  get isLeading(): boolean {
    return this.leads;
  }

  /** Why this replica could not enqueue now; undefined when it could, or does. For readiness checks. */
  get problem(): MercuryError | undefined {
    if (!this.hasWork) return undefined;
    return this.currentProblem ?? this.connection.problem;
  }

  /**
   * Takes part in the election, and enqueues whenever it leads. Resolves once it takes part; while the broker is away it
   * keeps trying. Without schedules it resolves at once.
   * @throws BrokerError `BROKER_ACCESS_REFUSED`, `BROKER_TOPOLOGY_MISMATCH`. It goes on trying even then, until `stop`.
   * @throws MercuryError `STOPPED` after `stop`, or when that comes first.
   */
  start(): Promise<void> {
    if (this.stopping) return Promise.reject(stopped('scheduler'));
    this.starting ??= this.hasWork ? this.begin() : Promise.resolve();
    return this.starting;
  }

  /** Ends what it is enqueueing (5 s), then closes: the next leader goes on at once. Safe to call twice. */
  stop(): Promise<void> {
    this.stopping ??= this.handOver();
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private get hasWork(): boolean {
    return this.config.schedules.length > 0;
  }

  /** For everything: a leader that is cut off from its queue must be cut off from enqueueing, too. */
  private get connection(): Connection {
    return this.broker.connections.publishing;
  }

  private get clock(): Clock {
    return this.broker.clock;
  }

  private begin(): Promise<void> {
    this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'Not connected yet.');
    const starting = new Promise<void>((resolve, reject) => {
      this.events.once('ready', resolve);
      this.onProblem = (problem) => {
        this.currentProblem = problem;
        if (isHopeless(problem)) reject(problem);
      };
      this.connection.events.on('failed', this.onProblem);
      this.running = this.takePartUntilLeaving().finally(() => reject(stopped('scheduler')));
    });
    // Told as problems, too: who does not wait for it must not die of it.
    starting.catch(() => undefined);
    return starting;
  }

  private async takePartUntilLeaving(): Promise<void> {
    const { signal } = this.leaving;
    for (let failures = 0; !signal.aborted;) {
      let beganMs = performance.now();
      try {
        await this.connection.untilConnected(signal);
        beganMs = performance.now();
        this.currentProblem = unanswered(this.queueName);
        await this.declare();
        await this.takePart();
      } catch (error) {
        if (signal.aborted) return;
        // One that took part and was refused at once, such as its first put, is no better off than before.
        failures = performance.now() - beganMs < AGAIN_CAP_MS ? failures + 1 : 1;
        this.report(brokerProblem('The schedule queue could not be used; trying again', error));
        await delay(backoffMs(failures, AGAIN_CAP_MS), signal);
      }
    }
  }

  /** For as long as the channel lives, or until it is to stop. */
  private async takePart(): Promise<void> {
    const channel = await this.connection.openChannel();
    const { signal } = this.leaving;
    const leadership = new Leadership(channel, this.queueName, this.state, (problem) =>
      this.events.emit('problem', problem),
    );
    const ended = new LinkedSignal([leadership.lost, signal]);
    try {
      await leadership.stand();
      this.currentProblem = undefined;
      this.events.emit('ready');
      await leadership.untilLeading(signal);
      leadership.lost.throwIfAborted();
      if (!signal.aborted) await this.lead(leadership, ended.signal);
      leadership.lost.throwIfAborted();
    } catch (error) {
      // It says why; that a publish on it is unknown now is a consequence.
      leadership.lost.throwIfAborted();
      throw error;
    } finally {
      if (this.leads) this.events.emit('standby');
      this.leads = false;
      ended.release();
      // Gives the state in hand to the next.
      await closeChannel(channel);
    }
  }

  private async lead(leadership: Leadership, ended: AbortSignal): Promise<void> {
    const { schedules } = this.config;
    adoptSchedules(this.state, schedules, this.clock.nowMs());
    await this.reportWhenLate(leadership.store());
    this.leads = true;
    this.events.emit('leading');
    let renewAtMs = performance.now() + RENEW_EVERY_MS;
    for (let failures = 0; !ended.aborted;) {
      const refusal = await this.enqueueDue(leadership, ended);
      if (performance.now() >= renewAtMs) {
        adoptSchedules(this.state, schedules, this.clock.nowMs());
        await this.reportWhenLate(leadership.store());
        renewAtMs = performance.now() + RENEW_EVERY_MS;
      }
      failures = refusal ? failures + 1 : 0;
      this.tell(refusal ?? this.aheadOfClock());
      await this.clock.delay(refusal ? backoffMs(failures, REFUSED_AGAIN_CAP_MS) : this.sleepMs(), ended);
    }
  }

  /** Everything that is due, each tick noted before the next of its schedule. Returns why something could not be enqueued. */
  private async enqueueDue(leadership: Leadership, ended: AbortSignal): Promise<MercuryError | undefined> {
    while (!ended.aborted) {
      // A put that the broker does not read now would be enqueued whenever it reads again, also one that is to be skipped.
      if (this.connection.problem) return this.connection.problem;
      const nowMs = this.clock.nowMs();
      const due = this.config.schedules
        .map((schedule) => ({ schedule, step: this.stepOf(schedule, nowMs) }))
        .filter(({ step }) => step.kind !== 'wait')
        .slice(0, MOST_AT_ONCE);
      if (due.length === 0) return undefined;
      const takes = due.map(({ schedule, step }) => this.take(leadership, schedule, step));
      const results = await this.reportWhenLate(Promise.allSettled(takes));
      await this.reportWhenLate(leadership.store());
      const refused = results.find((result) => result.status === 'rejected');
      if (refused) return this.refusalOf(refused.reason);
    }
    return undefined;
  }

  private async take(leadership: Leadership, schedule: Schedule, step: Step): Promise<void> {
    const { name, type, body } = schedule;
    if (step.kind === 'enqueue') {
      const id = tickId(name, step.tickMs);
      await leadership.put(encodeTask(body, { id, type }, this.config.maxPayloadBytes, this.clock.nowMs()));
      this.note(schedule, step.tickMs);
      const tick = new Date(step.tickMs);
      this.events.emit('enqueued', { schedule: name, tick, id, lateMs: this.clock.nowMs() - step.tickMs });
    }
    if (step.kind === 'miss') {
      this.note(schedule, step.lastMs);
      this.events.emit('missed', { schedule: name, first: new Date(step.firstMs), last: new Date(step.lastMs) });
    }
  }

  /** The queue is full: tried again here. It is gone, or nobody knows: tried again on a new channel, by whoever leads then. */
  private refusalOf(reason: unknown): MercuryError {
    if (reason instanceof MercuryError && reason.code === 'PUBLISH_NACKED') return reason;
    throw reason;
  }

  private stepOf(schedule: Schedule, nowMs: number): Step {
    return stepOf(schedule, this.state.get(schedule.name)?.doneMs ?? nowMs, nowMs);
  }

  private note({ name, rule }: Schedule, doneMs: number): void {
    this.state.set(name, { rule, doneMs, seenMs: this.clock.nowMs() });
  }

  private sleepMs(): number {
    const nowMs = this.clock.nowMs();
    const waits = this.config.schedules.map((schedule) => {
      const step = this.stepOf(schedule, nowMs);
      return step.kind === 'wait' ? step.untilMs - nowMs : 0;
    });
    return Math.min(this.clock.longestSleepMs, ...waits);
  }

  private aheadOfClock(): MercuryError | undefined {
    const nowMs = this.clock.nowMs();
    for (const { name } of this.config.schedules) {
      const { doneMs = 0 } = this.state.get(name) ?? {};
      if (doneMs > nowMs + AHEAD_MS) return ahead(name, doneMs, nowMs);
    }
    return undefined;
  }

  /** Once for as long as it lasts. */
  private tell(problem: MercuryError | undefined): void {
    const isNew = problem && problem.code !== this.currentProblem?.code;
    this.currentProblem = problem;
    if (isNew) this.events.emit('problem', problem);
  }

  private async reportWhenLate<Result>(work: Promise<Result>): Promise<Result> {
    const timer = setTimeout(() => this.tell(unanswered(this.queueName)), LATE_CONFIRM_MS);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }

  private report(problem: MercuryError): void {
    this.onProblem(problem);
    this.events.emit('problem', problem);
  }

  private async handOver(): Promise<void> {
    this.leaving.abort();
    await within(STOP_TIMEOUT_MS, this.running);
    // Not even asked for by a scheduler that was never started: asking opens it.
    if (this.running) this.connection.events.off('failed', this.onProblem);
    await this.broker.close();
    if (this.hasWork) this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The scheduler is stopped.');
  }

  private async declare(): Promise<void> {
    const { queueName, retryDelaysMs } = this.config;
    const onMismatch = (problem: BrokerError) => this.events.emit('problem', problem);
    await declareTaskTopology(this.connection, queueName, retryDelaysMs, onMismatch);
    await declareScheduleQueue(this.connection, queueName, onMismatch);
  }
}

function unanswered(queueName: string): MercuryError {
  const queues = `"${queueName}" and "${scheduleQueueOf(queueName)}"`;
  return new BrokerError(
    'BROKER_BLOCKED',
    `The broker has not answered the scheduler yet. Have queues ${queues} a leader?`,
  );
}

function ahead(name: string, doneMs: number, nowMs: number): MercuryError {
  const message =
    `Ticks of schedule "${name}" are done until ${new Date(doneMs).toISOString()}, but here it is ${new Date(nowMs).toISOString()}: ` +
    'it waits until then. Is the clock right? If not, and wrong ticks are done: see docs/operations.md.';
  return new MercuryError('SCHEDULE_AHEAD', message);
}
