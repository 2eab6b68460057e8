import { ackTimeoutProblem, longestTaskMs } from '../broker/ack-timeout';
import { useConnections, type BrokerUse } from '../broker/connections';
import type { Delivery } from '../broker/deliveries';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { declareTaskTopology } from '../broker/topology';
import { BrokerError, MercuryError, isHopeless, stopped } from '../errors';
import { Events } from '../events';
import { OncePerMinute } from '../once-per-minute';
import { controllerForMany } from '../signals';
import { within } from '../timing';
import { identify, type Identity } from './codec';
import { Completions } from './completions';
import { Consuming, type ConsumingHost } from './consuming';
import { DueTasks } from './due';
import type { WorkerEvents } from './events';
import { execute, type ExecutionContext, type TaskRunner } from './execution';
import { failureLine } from './failure-line';
import { LoopWatch } from './loop-watch';
import { resolveWorker, type ResolvedWorker, type WorkerOptions, type WorkerRules } from './options';
import type { Outcome } from './outcome';
import { Settlement, type Run } from './settlement';
import { Slots, type Slot } from './slots';
import { BURIED, Suspects, isSuspect, suspected, type SuspectHost } from './suspects';
import type { JsonObject, Task } from './task';
import type { TaskSource } from './task-source';

const CONFIRMS_TIMEOUT_MS = 5_000;
const BROKER_ANSWER_MS = 3_000;

/**
 * Executes the tasks of a queue, at most `capacity` at once. Extend it with a `handler`.
 *
 * @example
 * class ReportWorker extends Worker<Report> {
 *   async handler(task: Task<Report>) { await render(task.body); }
 * }
 * const worker = new ReportWorker({ rabbitUrl: 'amqp://localhost', queueName: 'reports', capacity: 2 });
 * await worker.start();
 */
export abstract class Worker<Body = JsonObject> {
  readonly events = new Events<WorkerEvents>();
  private readonly config: ResolvedWorker;
  /** Private also at run time: the name is free for whoever extends a worker. */
  readonly #source: TaskSource | undefined;
  private readonly broker: BrokerUse;
  private readonly publisher: Publisher;
  private readonly settlement: Settlement;
  private readonly slots: Slots;
  /** Aborts when `stop` is called: nothing is consumed anew. */
  private readonly leaving = controllerForMany();
  /** Aborts when the drain is over: what still runs is left to others. */
  private readonly stopped = controllerForMany();
  private readonly consuming: Consuming;
  private readonly suspects: Suspects;
  /** Undefined without a key store. */
  private readonly completions: Completions | undefined;
  private readonly due: DueTasks;
  private readonly context: ExecutionContext;
  private readonly loop: LoopWatch;
  private currentProblem: MercuryError | undefined = new BrokerError(
    'BROKER_UNREACHABLE',
    'The worker is not started.',
  );
  private onProblem: (problem: MercuryError) => void = () => undefined;
  /** What it has told of why it waits, by codes. */
  private readonly toldWaits = new OncePerMinute();
  private starting: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  /**
   * @param source where else its tasks come from; a bus, for a durable subscription.
   * @throws ConfigError `CONFIG_INVALID`, for example for a capacity of 0. Does not connect: `start` does.
   */
  constructor(options: WorkerOptions, source?: TaskSource) {
    this.#source = source;
    this.config = resolveWorker(options);
    const { publishTimeoutMs, queueName, keyStore, idempotencyTtlMs } = this.config;
    const onProblem = (problem: MercuryError) => this.events.emit('problem', problem);
    const onWait = (problem: MercuryError) => this.tellWait(problem);
    this.broker = useConnections(this.config, `worker ${queueName}`, onWait);
    const publishEvents = new Events<ClientEvents>().on('problem', onWait);
    const declare = (withDelays = false) => this.declare(withDelays);
    this.publisher = new Publisher(this.broker.connections.publishing, declare, publishTimeoutMs, publishEvents);
    const { clock } = this.broker;
    this.settlement = new Settlement(this.publisher, queueName, clock, onWait);
    this.slots = new Slots(this.config.capacity);
    this.consuming = new Consuming(this.consumingHost());
    this.suspects = new Suspects(queueName, this.suspectHost());
    if (keyStore) this.completions = new Completions(keyStore, idempotencyTtlMs, this.leaving.signal, onWait);
    this.loop = new LoopWatch(() => this.broker.connections.consuming.heartbeatS, onProblem);
    this.context = {
      ...this.config,
      runnerOf: (type) => this.runnerOf(type),
      longestTimeoutMs: () => longestTaskMs(this.longestTimeoutMs()),
      clock: this.broker.clock,
      onStart: (task) => {
        this.loop.began(task);
        this.events.emit('started', task);
      },
      onHeld: (task, heldMs) => this.loop.held(task, heldMs),
      completions: this.completions,
    };
    const openChannel = () => this.broker.connections.consuming.openChannel();
    const { signal: leaving } = this.leaving;
    this.due = new DueTasks(queueName, this.settlement, { leaving, clock, openChannel, declare, onProblem: onWait });
  }

  /**
   * Executes one attempt. Return: success. Throw `DiscardTask`: dead letter now. Throw `PostponeTask`: later, and no
   * attempt. Throw anything else: another attempt as long as there are any. Stop early when `task.signal` aborts: nobody waits for the result any more.
   */
  abstract handler(task: Task<Body>): unknown;

  /** Who executes a task of this type; undefined is a failure, `UNKNOWN_TYPE`, tried again as any other. Here: `handler`, whatever the type. */
  protected runnerOf(_type: string): TaskRunner | undefined {
    // Bodies are checked by the handler or its pipes: the type parameter is the reader's promise, not the broker's.
    return { run: (task) => this.handler(task as Task<Body>) };
  }

  /** The longest that any handler may take, in milliseconds. */
  protected longestTimeoutMs(): number {
    return this.config.handlerTimeoutMs;
  }

  /** How many tasks run now. */
  get runningCount(): number {
    return this.slots.runningCount;
  }

  get queueName(): string {
    return this.config.queueName;
  }

  get capacity(): number {
    return this.config.capacity;
  }

  /** By which rules each task is attempted: its options, with the defaults for those that were left out. */
  get rules(): WorkerRules {
    const { queueName, policy, retryDelaysMs, handlerTimeoutMs, maxPayloadBytes } = this.config;
    return { queueName, policy, retryDelaysMs, handlerTimeoutMs, maxPayloadBytes };
  }

  /** Why the worker does not make progress now; undefined when it does. For readiness checks. */
  get problem(): MercuryError | undefined {
    return this.settlement.problem ?? this.completions?.problem ?? this.currentProblem ?? this.due.problem;
  }

  /**
   * Starts to consume. Resolves once it does; while the broker is away it keeps trying, so do not await it where the
   * program must go on without a broker.
   * @throws BrokerError `BROKER_ACCESS_REFUSED` (wrong user, password or vhost), `BROKER_TOPOLOGY_MISMATCH` (the queue
   * exists and is no durable quorum queue), `BROKER_TOPOLOGY_MISSING` (with topology `check`). It goes on trying even then, until `stop`.
   * @throws MercuryError `STOPPED` after `stop`, or when that comes first.
   */
  start(): Promise<void> {
    if (this.stopping) return Promise.reject(stopped('worker'));
    if (this.starting) return this.starting;
    this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'Not connected yet.');
    this.starting = new Promise<void>((resolve, reject) => {
      this.events.once('ready', resolve);
      this.onProblem = (problem) => {
        this.currentProblem = problem;
        if (isHopeless(problem)) reject(problem);
      };
      const warning = ackTimeoutProblem(this.longestTimeoutMs());
      if (warning) this.events.emit('problem', warning);
      this.broker.connections.consuming.events.on('failed', this.onProblem);
      this.loop.start();
      // Before it is needed: no due task is to be late because of a connection.
      this.publisher.open();
      this.running = this.consuming.run().finally(() => reject(stopped('worker')));
    });
    // Told as problems, too: who does not wait for it must not die of it.
    this.starting.catch(() => undefined);
    return this.starting;
  }

  /**
   * Takes no more tasks, waits up to `drainTimeoutMs` for those that run, then closes. What still runs by then is
   * aborted, and the broker gives it to another worker. Safe to call twice.
   */
  stop(): Promise<void> {
    this.stopping ??= this.drainAndClose();
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private tell(problem: MercuryError): void {
    if (this.leaving.signal.aborted) return;
    this.onProblem(problem);
    this.tellWait(problem);
  }

  private tellWait(problem: MercuryError): void {
    if (this.toldWaits.isDue(problem.code)) this.events.emit('problem', problem);
  }

  private consumingHost(): ConsumingHost {
    const { queueName, capacity } = this.config;
    return {
      queueName,
      leaving: this.leaving.signal,
      stopped: this.stopped.signal,
      connection: () => this.broker.connections.consuming,
      declare: () => this.declare(),
      longestHandlerMs: () => this.longestTimeoutMs(),
      capacity,
      hasRoom: () => this.slots.runningCount < capacity,
      onReady: () => {
        this.currentProblem = undefined;
        this.toldWaits.forget();
        this.events.emit('ready');
      },
      onDelivery: (delivery) => this.take(delivery),
      onConsuming: (channel, deliveries, lost) => {
        // It fails with the channel only, which ends this as well.
        void this.suspects.watch(channel, deliveries, lost).catch(() => undefined);
        void this.due.forward(lost);
      },
      onLost: (reason) => this.slots.abortAll(reason),
      onProblem: (problem) => this.tell(problem),
    };
  }

  private suspectHost(): SuspectHost {
    return {
      leaving: this.leaving.signal,
      pause: async () => {
        await this.consuming.pause();
        await this.slots.untilIdle();
      },
      resume: async () => (this.leaving.signal.aborted ? undefined : this.consuming.take()),
      runAlone: (delivery) => this.slots.run(delivery.lost, (slot) => this.execute(delivery, slot, true)),
    };
  }

  private take(delivery: Delivery): void {
    this.slots
      .run(delivery.lost, (slot) => this.execute(delivery, slot))
      .catch((cause: unknown) => {
        // A fault of Mercury itself. Not acked, so not lost: the broker has the task until this channel ends.
        const problem = new MercuryError('NOT_SETTLED', `A task could not be settled: ${String(cause)}`, { cause });
        this.events.emit('problem', problem);
      });
  }

  private async execute(arrived: Delivery, slot: Slot, isAlone = false): Promise<void> {
    const delivery = this.#source?.received(arrived) ?? arrived;
    const { message } = delivery;
    // Its own handler held the loop for longer than the connection bears: that was an attempt, which failed.
    const lost = this.leaving.signal.aborted ? undefined : this.loop.lostAttemptOf(message, this.context);
    if (lost) return this.settle(delivery, lost.task, lost.outcome, lost);
    if (!isSuspect(message)) return this.attempt(delivery, slot);
    const identity = identify(message);
    // It had its chances alone, too: whoever else may have ended those processes, it was the only one that ran.
    if (isAlone) return this.settle(delivery, identity, BURIED, { durationMs: 0, stack: [] });
    this.events.emit('problem', suspected(identity.id));
    if (await this.settlement.setAside(delivery, identity)) this.suspects.look();
  }

  private async attempt(delivery: Delivery, slot: Slot): Promise<void> {
    if (this.leaving.signal.aborted) {
      await this.settlement.settle(delivery, identify(delivery.message), { kind: 'released' });
      return;
    }
    const execution = await execute(delivery.message, this.context, slot);
    const { identity, task, outcome } = execution;
    const heard = this.loop.ended(execution, this.completions !== undefined);
    if (heard) await heard;
    if (!execution.isSkipped) return this.settle(delivery, identity, outcome, execution);
    if ((await this.settlement.settle(delivery, identity, outcome)) && task) this.events.emit('skipped', task);
  }

  private async settle(delivery: Delivery, identity: Identity, outcome: Outcome, run: Run): Promise<void> {
    const told = await this.settlement.settle(delivery, identity, outcome, run);
    // Given back untouched, it was no attempt.
    if (!told || outcome.kind === 'released') return;
    const { id, type, attempt } = identity;
    const { durationMs, log } = run;
    const settled = { id, type, attempt, queue: this.queueName, outcome, durationMs };
    this.events.emit('settled', log ? { ...settled, log } : settled);
    const failure = this.config.logs && failureLine(settled);
    if (failure) this.events.emit('problem', failure);
  }

  private async drainAndClose(): Promise<void> {
    this.leaving.abort();
    this.consuming.drain();
    // A frozen broker answers nothing, and amqplib notices only after some heartbeats: each wait has its own end.
    await within(BROKER_ANSWER_MS, this.consuming.pause());
    this.slots.startWaiting();
    await within(this.config.drainTimeoutMs, Promise.all([this.slots.untilIdle(), this.due.untilIdle()]));
    // Ends the consumption, which first gives up the deliveries and then aborts their handlers: one that ends because of
    // that must not be acked.
    this.stopped.abort();
    await within(BROKER_ANSWER_MS, this.running);
    this.loop.stop();
    await this.publisher.close(CONFIRMS_TIMEOUT_MS);
    // Not even asked for by a worker that was never started: asking opens it.
    if (this.starting) this.broker.connections.consuming.events.off('failed', this.onProblem);
    await this.broker.close();
    this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The worker is stopped.');
  }

  private async declare(withDelays = false): Promise<void> {
    const { queueName, retryDelaysMs, topology: mode } = this.config;
    const onMismatch = (problem: BrokerError) => this.events.emit('problem', problem);
    const { consuming } = this.broker.connections;
    await consuming.untilConnected(this.stopped.signal);
    await declareTaskTopology(consuming, queueName, retryDelaysMs, { mode, onMismatch }, withDelays);
    await this.#source?.bind(consuming);
  }
}
