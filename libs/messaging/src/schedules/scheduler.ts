import { closeChannel, type Connection } from '../broker/connection';
import { useConnections, type BrokerUse } from '../broker/connections';
import { declareScheduleTopology, scheduleQueueOf } from '../broker/topology';
import { refuse } from '../checks';
import { BrokerError, brokerProblem, isHopeless, stopped, type MercuryError } from '../errors';
import { Events } from '../events';
import { LinkedSignal, controllerForMany } from '../signals';
import { backoffMs, delay, within } from '../timing';
import { Enqueueing } from './enqueueing';
import type { SchedulerEvents } from './events';
import { Leadership } from './leadership';
import { resolveScheduler, type ResolvedScheduler, type SchedulerOptions } from './options';
import { schedulesOf, type ScheduleOptions } from './schedule';
import type { ScheduleState } from './schedule-state';

const AGAIN_CAP_MS = 5_000;
const STOP_TIMEOUT_MS = 5_000;
const LATE_CONFIRM_MS = 5_000;

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
  private readonly enqueueing: Enqueueing;
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
    this.enqueueing = new Enqueueing({
      schedules: this.config.schedules,
      maxPayloadBytes: this.config.maxPayloadBytes,
      state: this.state,
      clock: this.broker.clock,
      events: this.events,
      brokerProblem: () => this.connection.problem,
      onLeading: () => {
        this.leads = true;
        this.events.emit('leading');
      },
      tell: (problem) => this.tell(problem),
      inTime: (work) => this.inTime(work),
    });
    if (this.hasSchedules) this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The scheduler is not started.');
  }

  get queueName(): string {
    return this.config.queueName;
  }

  /**
   * Adds a schedule. All replicas should have the same.
   * @throws ConfigError `CONFIG_INVALID`, also once it was started: then ticks of it may be missing already.
   */
  add(schedule: ScheduleOptions): void {
    const problems: string[] = [];
    const { schedules, maxPayloadBytes } = this.config;
    const [checked] = schedulesOf([schedule], maxPayloadBytes, problems);
    if (this.starting) problems.push('the scheduler is started');
    if (schedules.some(({ name }) => name === schedule.name)) problems.push('name is that of another schedule');
    refuse(`Schedule ${JSON.stringify(schedule.name)}`, problems);
    if (checked) schedules.push(checked);
    this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The scheduler is not started.');
  }

  get hasSchedules(): boolean {
    return this.config.schedules.length > 0;
  }

  /** Whether this replica is the one that enqueues now. */
  get isLeading(): boolean {
    return this.leads;
  }

  /** Why this replica could not enqueue now; undefined when it could, or does. For readiness checks. */
  get problem(): MercuryError | undefined {
    if (!this.hasSchedules) return undefined;
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
    this.starting ??= this.hasSchedules ? this.begin() : Promise.resolve();
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

  /** For everything: a leader that is cut off from its queue must be cut off from enqueueing, too. */
  private get connection(): Connection {
    return this.broker.connections.publishing;
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
      if (!signal.aborted) await this.enqueueing.run(leadership, ended.signal);
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

  /** Once for as long as it lasts. */
  private tell(problem: MercuryError | undefined): void {
    const isNew = problem && problem.code !== this.currentProblem?.code;
    this.currentProblem = problem;
    if (isNew) this.events.emit('problem', problem);
  }

  private async inTime<Result>(work: Promise<Result>): Promise<Result> {
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
    if (this.hasSchedules) this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The scheduler is stopped.');
  }

  private async declare(): Promise<void> {
    const { queueName, retryDelaysMs, topology: mode } = this.config;
    const onMismatch = (problem: BrokerError) => this.events.emit('problem', problem);
    await declareScheduleTopology(this.connection, queueName, retryDelaysMs, { mode, onMismatch });
  }
}

function unanswered(queueName: string): MercuryError {
  const queues = `"${queueName}" and "${scheduleQueueOf(queueName)}"`;
  return new BrokerError(
    'BROKER_BLOCKED',
    `The broker has not answered the scheduler yet. Have queues ${queues} a leader?`,
  );
}
