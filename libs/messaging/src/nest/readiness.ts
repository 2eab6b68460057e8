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
  private readonly watched = new Map<string, { what: Watched; isInUse: () => boolean }>();
  private shuttingDown = false;

  get isShuttingDown(): boolean {
    return this.shuttingDown;
  }

  watch(name: string, watched: Watched): void {
    this.watched.set(name, { what: watched, isInUse: () => true });
  }

  /**
   * The same, where nobody watches it by another name.
   * @param isInUse as long as it is not, nothing is said of it.
   */
  watchUnlessKnown(name: string, watched: Watched, isInUse = () => true): void {
    const isKnown = [...this.watched.values()].some(({ what }) => what === watched);
    if (!isKnown) this.watched.set(name, { what: watched, isInUse });
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
    const inUse = [...this.watched].filter(([, { isInUse }]) => isInUse());
    const checks = inUse.map(([name, { what }]): ReadinessCheck => {
      const { problem } = what;
      return problem ? { name, problem: { code: problem.code, message: problem.message } } : { name };
    });
    if (this.shuttingDown) {
      checks.push({ name: 'process', problem: { code: 'SHUTTING_DOWN', message: 'Shutting down.' } });
    }
    return checks;
  }
}
