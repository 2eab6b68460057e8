import { DeadLetters, deadQueueOf, type ReplayProgress, type Task } from '@mercury/messaging';
import { rabbitUrl } from './rabbit';
import { until } from './until';
import { Workbench, type TestWorker } from './workbench';

/** A work queue of its own for each test of a file, with its dead queue and a reader of that. */
export class LetterBench extends Workbench {
  letters!: DeadLetters;

  constructor(retryDelaysMs: readonly number[]) {
    super(retryDelaysMs);
    beforeEach(async () => {
      // Declares the queue and all that belongs to it.
      await this.client().put({ type: 'first' });
      await this.rabbit.take(this.queueName);
      this.letters = this.reader();
    });
    afterEach(() => this.letters.stop());
  }

  get deadQueue(): string {
    return deadQueueOf(this.queueName);
  }

  reader(): DeadLetters {
    return new DeadLetters({ rabbitUrl: rabbitUrl(), queueName: this.queueName });
  }

  deadDepth(): Promise<number | undefined> {
    return this.rabbit.depth(this.deadQueue);
  }

  untilDead(count: number): Promise<void> {
    return until(`${count} dead letters`, async () => (await this.deadDepth()) === count);
  }

  /** A replay to its end. */
  async replayed(...args: Parameters<DeadLetters['replay']>): Promise<ReplayProgress[]> {
    const reports: ReplayProgress[] = [];
    for await (const report of this.letters.replay(...args)) reports.push(report);
    return reports;
  }

  /** A worker whose tasks all end as told. */
  async working(work: (task: Task) => unknown, maxAttempts = 1): Promise<TestWorker> {
    const worker = this.worker(work, { maxAttempts });
    await worker.start();
    return worker;
  }
}
