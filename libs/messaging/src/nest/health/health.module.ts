import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Readiness } from '../readiness';
import { HealthController } from './health.controller';

/** `/health/live` and `/health/ready`, alike in every application. What is not ready is logged by what watches it, once. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [Readiness],
  exports: [Readiness],
})
export class HealthModule {}
