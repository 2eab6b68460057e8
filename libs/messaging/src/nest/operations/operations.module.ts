import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Metrics } from './metrics';
import { OperationsController } from './operations.controller';
import { Readiness } from './readiness';

/** `/health/live`, `/health/ready` and `/metrics`, alike in every application. What is not ready is logged by what watches it, once. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [OperationsController],
  providers: [Readiness, Metrics],
  exports: [Readiness, Metrics],
})
export class OperationsModule {}
