import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Logger } from '@mercury/messaging';
import { Readiness, HandlerWorker } from '@mercury/messaging/nest';
import { Metrics } from '@mercury/messaging/nest/metrics';

/** What this application watches and measures. */
@Injectable()
export class Operations implements OnModuleInit {
  constructor(
    private readonly worker: HandlerWorker,
    private readonly bus: Logger,
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.readiness.watch('worker', this.worker);
    this.metrics.observeWorker(this.worker);
    this.metrics.observePublisher('events', this.bus);
  }
}
