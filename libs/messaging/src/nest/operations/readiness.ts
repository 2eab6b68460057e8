import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

/** Something that can say why it does not work now. */
interface Watched {
  readonly problem: { code: string; message: string } | undefined;
}

/** What has to work before this process should get traffic. It is never ready once shutdown has begun. */
@Injectable()
export class Readiness implements OnModuleDestroy {
  private readonly watched = new Map<string, Watched>();
  private shuttingDown = false;

  constructor(private readonly indicators: HealthIndicatorService) {}

  get isShuttingDown(): boolean {
    return this.shuttingDown;
  }

  watch(name: string, watched: Watched): void {
    this.watched.set(name, watched);
  }

  /** From now on nobody should send anything here; what comes all the same is still answered. */
  shutDown(): void {
    this.shuttingDown = true;
  }

  /** Nest's first shutdown hook: load balancers hear of it before anything is closed. */
  onModuleDestroy(): void {
    this.shutDown();
  }

  check(): HealthIndicatorResult[] {
    const results = [...this.watched].map(([name, { problem }]): HealthIndicatorResult => {
      const indicator = this.indicators.check(name);
      return problem ? indicator.down({ code: problem.code, message: problem.message }) : indicator.up();
    });
    if (this.shuttingDown)
      results.push(this.indicators.check('process').down({ code: 'SHUTTING_DOWN', message: 'Shutting down.' }));
    return results;
  }
}
