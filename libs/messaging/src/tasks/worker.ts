import type { ConfirmChannel, Message } from 'amqplib';
import { ackTimeoutProblem } from '../broker/ack-timeout';
import { closeChannel } from '../broker/connection';
import { useConnections, type BrokerUse } from '../broker/connections';
import { Consumer } from '../broker/consumer';
import { Deafness } from '../broker/deafness';
import { Deliveries, type Delivery } from '../broker/deliveries';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { watchSetup } from '../broker/setup-watch';
import { declareTaskTopology } from '../broker/topology';
import { BrokerError, MercuryError, brokerProblem, isHopeless, stopped } from '../errors';
import { Events } from '../events';
import { controllerForMany } from '../signals';
import { backoffMs, delay, within } from '../timing';
import { identify, type Identity } from './codec';
import { Completions } from './completions';
import { DueTasks } from './due';
import type { WorkerEvents } from './events';
import { execute, type ExecutionContext, type TaskRunner } from './execution';
import { LoopWatch } from './loop-watch';
import { resolveWorker, type ResolvedWorker, type WorkerOptions, type WorkerRules } from './options';
import type { Outcome } from './outcome';
import { Settlement, type Run } from './settlement';
import { Slots, type Slot } from './slots';
import { BURIED, Suspects, isSuspect, suspected, type SuspectHost } from './suspects';
import type { JsonObject, Task } from './task';

interface Consumption {
  deliveries: Deliveries;
  consumer: Consumer;
}

const CONSUME_AGAIN_CAP_MS = 5_000;
const CONFIRMS_TIMEOUT_MS = 5_000;
const BROKER_ANSWER_MS = 3_000;
/** A cancel brings no reason (AMQP 0-9-1): RabbitMQ 4.3 answers so to a late ack, too. */
const CANCELLED =
  'The broker cancelled the consumer: its queue was deleted or moved, or a task took longer than its consumer_timeout.';

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
  private readonly broker: BrokerUse;
  private readonly publisher: Publisher;
  private readonly settlement: Settlement;
  private readonly slots: Slots;
  /** Aborts when `stop` is called: nothing is consumed anew. */
  private readonly leaving = controllerForMany();
  /** Aborts when the drain is over: what still runs is left to others. */
  private readonly stopped = controllerForMany();
  private consumption: Consumption | undefined;
  private readonly suspects: Suspects;
  /** Undefined without a key store. */
  private readonly completions: Completions | undefined;
  private readonly due: DueTasks;
  private readonly context: ExecutionContext;
  private readonly loop: LoopWatch;
  private readonly deafness = new Deafness();
  private currentProblem: MercuryError | undefined = new BrokerError(
    'BROKER_UNREACHABLE',
    'The worker is not started.',
  );
  private onProblem: (problem: MercuryError) => void = () => undefined;
  private starting: Promise<void> | undefined;
  private consuming: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  /** @throws ConfigError `CONFIG_INVALID`, for example for a capacity of 0. Does not connect: `start` does. */
  constructor(options: WorkerOptions) {
    this.config = resolveWorker(options);
    const { publishTimeoutMs, queueName, keyStore, idempotencyTtlMs } = this.config;
    const onProblem = (problem: MercuryError) => this.events.emit('problem', problem);
    this.broker = useConnections(this.config, `worker ${queueName}`, onProblem);
    const publishEvents = new Events<ClientEvents>().on('problem', onProblem);
    const declare = () => this.declare();
    this.publisher = new Publisher(this.broker.connections.publishing, declare, publishTimeoutMs, publishEvents);
    const { clock } = this.broker;
    this.settlement = new Settlement(this.publisher, queueName, clock, onProblem);
    this.slots = new Slots(this.config.capacity);
    this.suspects = new Suspects(queueName, this.suspectHost());
    if (keyStore) this.completions = new Completions(keyStore, idempotencyTtlMs, this.leaving.signal, onProblem);
    this.loop = new LoopWatch(() => this.broker.connections.consuming.heartbeatS, onProblem);
    this.context = {
      ...this.config,
      runnerOf: (type) => this.runnerOf(type),
      onStart: (task) => {
        this.loop.began(task);
        this.events.emit('started', task);
      },
      onHeld: (task, heldMs) => this.loop.held(task, heldMs),
      completions: this.completions,
    };
    const openChannel = () => this.broker.connections.consuming.openChannel();
    const { signal: leaving } = this.leaving;
    this.due = new DueTasks(queueName, this.settlement, { leaving, clock, openChannel, declare, onProblem });
  }

  /**
   * Executes one attempt. Return: success. Throw `DiscardTask`: dead letter now. Throw anything else: another attempt
   * as long as there are any. Stop early when `task.signal` aborts: nobody waits for the result any more.
   */
  abstract handler(task: Task<Body>): unknown;

  /** Who executes a task of this type; undefined ends it as a dead letter. Here: `handler`, whatever the type. */
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
   * exists and is no durable quorum queue). It goes on trying even then, until `stop`.
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
      this.consuming = this.consumeUntilLeaving().finally(() => reject(stopped('worker')));
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

  private async consumeUntilLeaving(): Promise<void> {
    const { signal } = this.leaving;
    for (let failures = 0; !signal.aborted;) {
      let late: NodeJS.Timeout | undefined;
      try {
        await this.broker.connections.consuming.untilConnected(signal);
        late = watchSetup(this.queueName, (problem) => this.tell(problem));
        await this.declare();
        const channel = await this.broker.connections.consuming.openChannel();
        await this.consume(channel, () => {
          clearInterval(late);
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.tell(brokerProblem('Consuming could not be set up; trying again', error));
        await delay(backoffMs(failures, CONSUME_AGAIN_CAP_MS), signal);
      } finally {
        clearInterval(late);
      }
    }
  }

  private tell(problem: MercuryError): void {
    if (this.leaving.signal.aborted) return;
    this.onProblem(problem);
    this.events.emit('problem', problem);
  }

  /** Consumes until the worker stops, the channel is lost, or the broker cancels the consumer. */
  private async consume(channel: ConfirmChannel, onConsuming: () => void): Promise<void> {
    const lost = controllerForMany();
    let end: (problem?: MercuryError) => void = () => undefined;
    const ended = new Promise<MercuryError | undefined>((resolve) => (end = resolve));
    const onStopped = () => end();
    this.stopped.signal.addEventListener('abort', onStopped);
    if (this.stopped.signal.aborted) end();
    // Comes before `close`, and says why: the first end counts.
    channel.once('error', (cause: Error) => {
      end(brokerProblem('The channel for consuming was lost', cause));
    });
    channel.once('close', () => end(new BrokerError('BROKER_CHANNEL_LOST', 'The channel for consuming was lost.')));
    // The first deliveries may come together with the broker's answer: they begin when `start` has resolved.
    let hasBegun = false;
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const deliveries = new Deliveries(channel, lost.signal);
    const onMessage = (message: Message | null) => {
      if (!message) return end(new BrokerError('BROKER_CHANNEL_LOST', CANCELLED));
      const delivery = deliveries.of(message);
      if (hasBegun) this.take(delivery);
      else void begun.then(() => this.take(delivery));
    };
    try {
      // Per consumer, not per channel: RabbitMQ 4.3 refuses the global form.
      await channel.prefetch(this.config.capacity, false);
      if (this.leaving.signal.aborted) return;
      const { queueName, capacity } = this.config;
      const consumer = new Consumer(channel, queueName, this.longestTimeoutMs(), this.deafness, onMessage);
      this.consumption = { deliveries, consumer };
      await consumer.take();
      onConsuming();
      if (!this.leaving.signal.aborted) {
        this.currentProblem = undefined;
        this.events.emit('ready');
      }
      hasBegun = true;
      begin();
      // It fails with the channel only, which ends this as well.
      void this.suspects.watch(channel, deliveries, lost.signal).catch(() => undefined);
      void this.due.forward(lost.signal);
      const hasRoom = () => this.slots.runningCount < capacity;
      void consumer.untilDeaf(hasRoom, lost.signal, this.leaving.signal).then((deaf) => deaf && end(deaf));
      const problem = await ended;
      if (problem) throw problem;
    } finally {
      this.consumption = undefined;
      this.stopped.signal.removeEventListener('abort', onStopped);
      const message = 'The delivery was lost: the broker gives the task to another worker.';
      const reason = new BrokerError('BROKER_CHANNEL_LOST', message);
      lost.abort(reason);
      this.slots.abortAll(reason);
      await deliveries.finish();
      await closeChannel(channel);
    }
  }

  private suspectHost(): SuspectHost {
    return {
      leaving: this.leaving.signal,
      pause: async () => {
        await this.consumption?.consumer.pause();
        await this.slots.untilIdle();
      },
      resume: async () => (this.leaving.signal.aborted ? undefined : this.consumption?.consumer.take()),
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

  private async execute(delivery: Delivery, slot: Slot, isAlone = false): Promise<void> {
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
    const { durationMs } = run;
    this.events.emit('settled', { id, type, attempt, queue: this.queueName, outcome, durationMs });
  }

  private async drainAndClose(): Promise<void> {
    this.leaving.abort();
    const { consumption } = this;
    consumption?.deliveries.drain();
    // A frozen broker answers nothing, and amqplib notices only after some heartbeats: each wait has its own end.
    await within(BROKER_ANSWER_MS, consumption?.consumer.pause());
    this.slots.startWaiting();
    await within(this.config.drainTimeoutMs, Promise.all([this.slots.untilIdle(), this.due.untilIdle()]));
    // Ends the consumption, which first gives up the deliveries and then aborts their handlers: one that ends because of
    // that must not be acked.
    this.stopped.abort();
    await within(BROKER_ANSWER_MS, this.consuming);
    this.loop.stop();
    await this.publisher.close(CONFIRMS_TIMEOUT_MS);
    // Not even asked for by a worker that was never started: asking opens it.
    if (this.starting) this.broker.connections.consuming.events.off('failed', this.onProblem);
    await this.broker.close();
    this.currentProblem = new BrokerError('BROKER_UNREACHABLE', 'The worker is stopped.');
  }

  private async declare(): Promise<void> {
    const { queueName, retryDelaysMs } = this.config;
    const onMismatch = (problem: BrokerError) => this.events.emit('problem', problem);
    const { consuming } = this.broker.connections;
    await consuming.untilConnected(this.stopped.signal);
    await declareTaskTopology(consuming, queueName, retryDelaysMs, onMismatch);
  }
}
