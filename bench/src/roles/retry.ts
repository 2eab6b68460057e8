import { built } from '../built';
import { startMeter, type Usage } from '../meter';
import type { Target } from '../peers/peer';
import { play } from './child';

export interface RetryParams extends Target {
  capacity: number;
  retryDelayMs: number;
  /** Every so manieth task fails at its first attempt; 0 for none. */
  failEvery: number;
  warmUpCount: number;
  count: number;
}

/** Executes what is in the queue until every task has succeeded, those that failed at first included. */
play<RetryParams, Usage>(async (params, bench) => {
  const { rabbitUrl, queueName, capacity, retryDelayMs, failEvery, warmUpCount, count } = params;
  const { Worker } = built.messaging();
  let begun = 0;
  let succeeded = 0;
  let stopMeter: () => Usage;
  let end: (usage: Usage) => void = () => undefined;
  const ended = new Promise<Usage>((resolve) => (end = resolve));

  class FailingWorker extends Worker {
    override async handler({ attempt }: { attempt: number }): Promise<void> {
      if (attempt === 1) begun += 1;
      if (attempt === 1 && failEvery > 0 && begun % failEvery === 0) throw new Error('Fails at first.');
      succeeded += 1;
      if (succeeded === warmUpCount) stopMeter = startMeter();
      else if (succeeded === warmUpCount + count) setImmediate(() => end(stopMeter()));
    }
  }

  const worker = new FailingWorker({ rabbitUrl, queueName, capacity, retryDelaysMs: [retryDelayMs] });
  bench.ready();
  await bench.until('go');
  await worker.start();
  const usage = await ended;
  await worker.stop();
  return usage;
});
