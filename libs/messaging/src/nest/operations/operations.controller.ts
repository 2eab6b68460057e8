import { Controller, Get, Header } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { Metrics } from './metrics';
import { Readiness } from './readiness';

/** What orchestrators and Prometheus ask. */
@Controller()
export class OperationsController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  /** The process answers: nothing else is asked, so that a broker outage restarts nobody. */
  @Get('health/live')
  @Header('Cache-Control', 'no-store')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 200 when everything watched works, else 503 with the reasons. */
  @Get('health/ready')
  ready(): Promise<HealthCheckResult> {
    return this.health.check(this.readiness.check().map((result) => () => result));
  }

  @Get('metrics')
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  scrape(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}
