import { Module, Optional, type OnApplicationBootstrap } from '@nestjs/common';
import { Queues } from '../queues/queues';
import { Metrics } from './metrics';
import { MetricsController } from './metrics.controller';

/** `/metrics` for Prometheus, and what is measured there: all queues of the application, and what it observes itself. */
@Module({ controllers: [MetricsController], providers: [Metrics], exports: [Metrics] })
export class MetricsModule implements OnApplicationBootstrap {
  constructor(
    private readonly metrics: Metrics,
    @Optional() private readonly queues?: Queues,
  ) {}

  /** Behind what the application observes in its own words. */
  onApplicationBootstrap(): void {
    for (const { name, client, worker, scheduler, hasHandlers } of this.queues?.all ?? []) {
      this.metrics.observePublisher('tasks', client, name);
      if (hasHandlers) this.metrics.observeWorker(worker, name);
      if (scheduler.hasSchedules) this.metrics.observeScheduler(scheduler, name);
    }
  }
}
