import type { ConfirmChannel } from 'amqplib';
import {
  DELAY_LEVELS_MS,
  Worker,
  WorkerClient,
  deadQueueOf,
  delayQueueOf,
  dueQueueOf,
  retryQueueOf,
  scheduleQueueOf,
  suspectQueueOf,
  type SettledAttempt,
  type Task,
  type WorkerOptions,
} from '@mercury/messaging';
import type { Program } from './environment';
import type { Stage } from './stage';

export const LEVELS_MS = [100, 300];

/** Remembers what it saw, and when. */
export class TestWorker extends Worker {
  readonly seen: { task: Task; atMs: number }[] = [];
  readonly settled: SettledAttempt[] = [];

  constructor(
    options: WorkerOptions,
    private readonly work: (task: Task) => unknown,
    private readonly nowMs: () => number,
  ) {
    super(options);
    this.events.on('problem', () => undefined);
    this.events.on('settled', (attempt) => this.settled.push(attempt));
  }

  override handler(task: Task): unknown {
    this.seen.push({ task, atMs: this.nowMs() });
    return this.work(task);
  }
}

/** A work queue for each test, with a client and workers that are stopped after it. */
export class TaskStage {
  queueName = '';
  channel!: ConfirmChannel;
  program!: Program;
  client!: WorkerClient;
  private stopAfter: { stop(): Promise<void> }[] = [];

  constructor(readonly stage: Stage) {
    beforeEach(() => this.open());
    afterEach(() => Promise.all(this.stopAfter.splice(0).map((each) => each.stop())));
  }

  async working(
    work: (task: Task) => unknown,
    options: Partial<WorkerOptions> = {},
    { connections }: Program = this.program,
  ): Promise<TestWorker> {
    const { queueName, stage } = this;
    const all = { connections, queueName, retryDelaysMs: LEVELS_MS, maxAttempts: 3, ...options };
    const worker = this.stopLater(new TestWorker(all, work, () => stage.environment.nowMs()));
    await worker.start();
    return worker;
  }

  stopLater<Stoppable extends { stop(): Promise<void> }>(stoppable: Stoppable): Stoppable {
    this.stopAfter.push(stoppable);
    return stoppable;
  }

  untilDead(count: number): Promise<void> {
    return this.stage.untilDepth(this.channel, deadQueueOf(this.queueName), count);
  }

  private async open(): Promise<void> {
    const { stage } = this;
    const queueName = stage.name('conformance-tasks');
    this.queueName = queueName;
    for (const levelMs of LEVELS_MS) stage.alsoDelete(retryQueueOf(queueName, levelMs));
    for (const levelMs of DELAY_LEVELS_MS) stage.alsoDelete(delayQueueOf(queueName, levelMs));
    for (const nameOf of [deadQueueOf, dueQueueOf, suspectQueueOf, scheduleQueueOf])
      stage.alsoDelete(nameOf(queueName));
    this.channel = await stage.channel();
    this.program = await stage.program();
    const { connections } = this.program;
    this.client = this.stopLater(new WorkerClient({ connections, queueName, retryDelaysMs: LEVELS_MS }));
    this.client.events.on('problem', () => undefined);
  }
}
