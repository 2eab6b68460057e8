import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ClientEvents } from '../../broker/events';
import type { Events } from '../../events';
import type { SchedulerEvents } from '../../schedules/events';
import type { WorkerEvents } from '../../tasks/events';

const DURATION_BUCKETS_S = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600];
interface Observable {
  readonly events: Events<WorkerEvents>;
  readonly runningCount: number;
  readonly capacity: number;
  /** Those that have a handler: the only ones that are labels. */
  readonly types: readonly string[];
}

/** Prometheus metrics of this application, in a registry of its own. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** @param what `tasks` or `events`. */
  observePublisher(what: string, publisher: { readonly events: Events<ClientEvents> }): void {
    const publishes = new Counter({
      name: `mercury_${what}_published_total`,
      help: `Publishes of ${what} by outcome: confirmed, returned, nacked, not-sent, unknown.`,
      labelNames: ['outcome'],
      registers: [this.registry],
    });
    const seconds = new Histogram({
      name: `mercury_${what}_publish_duration_seconds`,
      help: 'From publish to confirm or failure.',
      buckets: DURATION_BUCKETS_S,
      registers: [this.registry],
    });
    publisher.events.on('published', (outcome, durationMs) => {
      publishes.inc({ outcome });
      seconds.observe(durationMs / 1000);
    });
  }

  observeScheduler(scheduler: { readonly events: Events<SchedulerEvents>; readonly isLeading: boolean }): void {
    const registers = [this.registry];
    new Gauge({
      name: 'mercury_scheduler_leading',
      help: '1 where the schedules are enqueued, 0 where they would be if that one were gone.',
      registers,
      collect() {
        this.set(Number(scheduler.isLeading));
      },
    });
    const ticks = new Counter({
      name: 'mercury_schedule_ticks_enqueued_total',
      help: 'Ticks whose task the broker has stored.',
      labelNames: ['schedule'],
      registers,
    });
    const gaps = new Counter({
      name: 'mercury_schedule_gaps_total',
      help: 'How often one or more ticks in a row were missed.',
      labelNames: ['schedule'],
      registers,
    });
    scheduler.events.on('enqueued', ({ schedule }) => ticks.inc({ schedule }));
    scheduler.events.on('missed', ({ schedule }) => gaps.inc({ schedule }));
  }

  observeWorker(worker: Observable): void {
    const registers = [this.registry];
    new Gauge({
      name: 'mercury_tasks_running',
      help: 'Tasks that run now.',
      registers,
      collect() {
        this.set(worker.runningCount);
      },
    });
    new Gauge({
      name: 'mercury_worker_capacity',
      help: 'Most tasks at once.',
      registers,
      collect() {
        this.set(worker.capacity);
      },
    });
    const labelNames = ['type', 'outcome'];
    const attempts = new Counter({
      name: 'mercury_task_attempts_total',
      help: 'Executions by task type and outcome: success, retry, postponed, dead.',
      labelNames,
      registers,
    });
    const seconds = new Histogram({
      name: 'mercury_task_duration_seconds',
      help: 'Time of the handler.',
      labelNames,
      buckets: DURATION_BUCKETS_S,
      registers,
    });
    const skipped = new Counter({
      name: 'mercury_tasks_skipped_total',
      help: 'Tasks that came again after they had succeeded, and were not executed.',
      labelNames: ['type'],
      registers,
    });
    // A message's type is anybody's text: as a label it would grow without bound.
    const labelOf = (type: string) => (worker.types.includes(type) ? type : 'other');
    worker.events.on('skipped', ({ type }) => skipped.inc({ type: labelOf(type) }));
    worker.events.on('settled', ({ type, outcome, durationMs }) => {
      const labels = { type: labelOf(type), outcome: outcome.kind };
      attempts.inc(labels);
      seconds.observe(labels, durationMs / 1000);
    });
  }
}
