import { Controller, Get, Header, Inject } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, type HealthCheckResult } from '@nestjs/terminus';
import { Readiness } from '../readiness';

/** What orchestrators ask. */
@Controller('health')
export class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  /** The process answers: nothing else is asked, so that a broker outage restarts nobody. */
  @Get('live')
  @Header('Cache-Control', 'no-store')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 200 when everything watched works, else 503 with the reasons. */
  @Get('ready')
  ready(): Promise<HealthCheckResult> {
    const checks = this.readiness.check().map(({ name, problem }) => () => {
      const indicator = this.indicators.check(name);
      return problem ? indicator.down(problem) : indicator.up();
    });
    return this.health.check(checks);
  }
}
