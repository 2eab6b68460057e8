import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** Something that can say why it does not work now. */
interface Watched {
  readonly problem: { code: string; message: string } | undefined;
}

/** What one of them says. */
export interface ReadinessCheck {
  name: string;
  /** Missing where all is well. */
  problem?: { code: string; message: string };
}

/** What has to work before this process should get traffic. It is never ready once shutdown has begun. */
@Injectable()
export class Readiness implements OnModuleDestroy {
  private readonly watched = new Map<string, Watched>();
  private shuttingDown = false;

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

  check(): ReadinessCheck[] {
    const checks = [...this.watched].map(([name, { problem }]): ReadinessCheck => {
      return problem ? { name, problem: { code: problem.code, message: problem.message } } : { name };
    });
    if (this.shuttingDown) {
      checks.push({ name: 'process', problem: { code: 'SHUTTING_DOWN', message: 'Shutting down.' } });
    }
    return checks;
  }
}
