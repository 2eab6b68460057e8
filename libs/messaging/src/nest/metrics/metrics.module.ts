import { Module, Optional, type OnApplicationBootstrap } from '@nestjs/common';
import { Buses } from '../buses/buses';
import { Handlers } from '../handlers/handlers';
import { Queues } from '../queues/queues';
import { Metrics } from './metrics';
import { MetricsController } from './metrics.controller';

/** `/metrics` for Prometheus, and what is measured there: all queues of the application, and what it observes itself. */
@Module({ controllers: [MetricsController], providers: [Metrics], exports: [Metrics] })
export class MetricsModule implements OnApplicationBootstrap {
  constructor(
    private readonly metrics: Metrics,
    @Optional() handlers?: Handlers,
    @Optional() private readonly queues?: Queues,
    @Optional() private readonly buses?: Buses,
  ) {
    handlers?.onDurable((subscription, pattern) => {
      const { events, queueName, capacity } = subscription;
      // Keys that fit a pattern are without bound.
      const types = [pattern];
      const worker = {
        events,
        capacity,
        types,
        get runningCount() {
          return subscription.runningCount;
        },
      };
      this.metrics.observeWorker(worker, queueName);
    });
  }

  /** Behind what the application observes in its own words. */
  onApplicationBootstrap(): void {
    for (const { name, client, worker, scheduler, hasHandlers } of this.queues?.all ?? []) {
      this.metrics.observePublisher('tasks', client, name);
      if (hasHandlers) this.metrics.observeWorker(worker, name);
      if (scheduler.hasSchedules) this.metrics.observeScheduler(scheduler, name);
    }
    for (const bus of this.buses?.all ?? []) this.metrics.observePublisher('events', bus, bus.name);
  }
}
