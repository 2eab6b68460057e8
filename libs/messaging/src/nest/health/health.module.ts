import { Module, Optional, type OnApplicationBootstrap } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Buses } from '../buses/buses';
import { Queues } from '../queues/queues';
import { Readiness } from '../readiness';
import { HealthController } from './health.controller';

/**
 * `/health/live` and `/health/ready`, alike in every application: all queues of the application, and what it watches itself. What is not
 * ready is logged by what watches it, once.
 */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [Readiness],
  exports: [Readiness],
})
export class HealthModule implements OnApplicationBootstrap {
  constructor(
    private readonly readiness: Readiness,
    @Optional() private readonly queues?: Queues,
    @Optional() private readonly buses?: Buses,
  ) {}

  /** Behind what the application watches by its own names. */
  onApplicationBootstrap(): void {
    for (const { name, client, worker, scheduler, hasHandlers } of this.queues?.all ?? []) {
      if (hasHandlers) this.readiness.watchUnlessKnown(`worker ${name}`, worker);
      if (scheduler.hasSchedules) this.readiness.watchUnlessKnown(`schedules ${name}`, scheduler);
      this.readiness.watchUnlessKnown(`client ${name}`, client, () => client.isOpen);
    }
    for (const bus of this.buses?.all ?? []) this.readiness.watchUnlessKnown(`bus ${bus.name}`, bus);
  }
}
