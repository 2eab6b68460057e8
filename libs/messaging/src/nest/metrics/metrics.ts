import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ClientEvents } from '../../broker/events';
import type { Events } from '../../events';
import type { SchedulerEvents } from '../../schedules/events';
import type { WorkerEvents } from '../../tasks/events';

const DURATION_BUCKETS_S = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600];

/** Labels of what is one of several. */
const PLACES = ['queue', 'bus'];

interface ObservableWorker {
  readonly events: Events<WorkerEvents>;
  readonly runningCount: number;
  readonly capacity: number;
  /** Those that have a handler: the only ones that are labels. */
  readonly types: readonly string[];
}

interface ObservableScheduler {
  readonly events: Events<SchedulerEvents>;
  readonly isLeading: boolean;
}

/** Prometheus metrics of this application, in a registry of its own. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  private readonly observed = new WeakSet<object>();
  /** By the name of what they measure: made when first needed. */
  private readonly made = new Map<string, unknown>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /**
   * What is observed already stays as it is.
   * @param what `tasks` or `events`. @param name of the queue or bus: a label, where an application has several.
   */
  observePublisher(
    what: 'tasks' | 'events',
    publisher: { readonly events: Events<ClientEvents> },
    name?: string,
  ): void {
    if (this.isObserved(publisher)) return;
    const publishes = this.counter(
      `mercury_${what}_published_total`,
      `Publishes of ${what} by outcome: confirmed, returned, nacked, not-sent, unknown.`,
      ['outcome'],
    );
    const seconds = this.histogram(
      `mercury_${what}_publish_duration_seconds`,
      'From publish to confirm or failure.',
      [],
    );
    const where = name === undefined ? {} : { [what === 'tasks' ? 'queue' : 'bus']: name };
    publisher.events.on('published', (outcome, durationMs) => {
      publishes.inc({ ...where, outcome });
      seconds.observe(where, durationMs / 1000);
    });
  }

  observeScheduler(scheduler: ObservableScheduler, queue?: string): void {
    if (this.isObserved(scheduler)) return;
    const what = '1 where the schedules are enqueued, 0 where they would be if that one were gone.';
    this.gauge('mercury_scheduler_leading', what, queue, () => Number(scheduler.isLeading));
    const ticks = this.counter('mercury_schedule_ticks_enqueued_total', 'Ticks whose task the broker has stored.', [
      'schedule',
    ]);
    const gaps = this.counter('mercury_schedule_gaps_total', 'How often one or more ticks in a row were missed.', [
      'schedule',
    ]);
    const ofQueue = labelOf(queue);
    scheduler.events.on('enqueued', ({ schedule }) => ticks.inc({ ...ofQueue, schedule }));
    scheduler.events.on('missed', ({ schedule }) => gaps.inc({ ...ofQueue, schedule }));
  }

  observeWorker(worker: ObservableWorker, queue?: string): void {
    if (this.isObserved(worker)) return;
    this.gauge('mercury_tasks_running', 'Tasks that run now.', queue, () => worker.runningCount);
    this.gauge('mercury_worker_capacity', 'Most tasks at once.', queue, () => worker.capacity);
    const labels = ['type', 'outcome'];
    const attempts = this.counter(
      'mercury_task_attempts_total',
      'Executions by task type and outcome: success, retry, postponed, dead.',
      labels,
    );
    const seconds = this.histogram('mercury_task_duration_seconds', 'Time of the handler.', labels);
    const again = 'Tasks that came again after they had succeeded, and were not executed.';
    const skipped = this.counter('mercury_tasks_skipped_total', again, ['type']);
    const ofQueue = labelOf(queue);
    // A message's type is anybody's text: as a label it would grow without bound.
    const known = (type: string) => (worker.types.includes(type) ? type : 'other');
    worker.events.on('skipped', ({ type }) => skipped.inc({ ...ofQueue, type: known(type) }));
    worker.events.on('settled', ({ type, outcome, durationMs }) => {
      const ofAttempt = { ...ofQueue, type: known(type), outcome: outcome.kind };
      attempts.inc(ofAttempt);
      seconds.observe(ofAttempt, durationMs / 1000);
    });
  }

  private isObserved(what: object): boolean {
    const isKnown = this.observed.has(what);
    this.observed.add(what);
    return isKnown;
  }

  private counter(name: string, help: string, labels: readonly string[]): Counter {
    const registers = [this.registry];
    return this.once(name, () => new Counter({ name, help, labelNames: [...PLACES, ...labels], registers }));
  }

  private histogram(name: string, help: string, labels: readonly string[]): Histogram {
    const registers = [this.registry];
    const buckets = DURATION_BUCKETS_S;
    return this.once(name, () => new Histogram({ name, help, buckets, labelNames: [...PLACES, ...labels], registers }));
  }

  private gauge(name: string, help: string, queue: string | undefined, read: () => number): void {
    const reads = this.once(`${name} reads`, (): [Record<string, string>, () => number][] => []);
    reads.push([labelOf(queue), read]);
    const registers = [this.registry];
    const collect = function (this: Gauge): void {
      for (const [labels, value] of reads) this.set(labels, value());
    };
    this.once(name, () => new Gauge({ name, help, labelNames: ['queue'], registers, collect }));
  }

  private once<Made>(name: string, make: () => Made): Made {
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name) as Made;
  }
}

function labelOf(queue: string | undefined): Record<string, string> {
  return queue === undefined ? {} : { queue };
}
