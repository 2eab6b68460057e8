import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Logger, Scheduler, WorkerClient } from '@mercury/messaging';
import { Readiness } from '@mercury/messaging/nest';
import { Metrics } from '@mercury/messaging/nest/metrics';

/** What this application watches and measures. */
@Injectable()
export class Operations implements OnModuleInit {
  constructor(
    private readonly client: WorkerClient,
    private readonly scheduler: Scheduler,
    private readonly bus: Logger,
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.readiness.watch('queue', this.client);
    this.readiness.watch('schedules', this.scheduler);
    this.metrics.observePublisher('tasks', this.client);
    this.metrics.observePublisher('events', this.bus);
    this.metrics.observeScheduler(this.scheduler);
    // In the background: HTTP listens and says that it is not ready while the broker is away.
    this.client.start();
  }
}
