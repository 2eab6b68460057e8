import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Logger } from '@mercury/messaging';
import { Metrics, Readiness, WorkerTransport } from '@mercury/messaging/nest';

/** What this application watches and measures. */
@Injectable()
export class Operations implements OnModuleInit {
  constructor(
    private readonly worker: WorkerTransport,
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
