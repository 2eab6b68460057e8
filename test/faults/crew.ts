import { join } from 'node:path';
import type { WorkerOptions } from '@mercury/messaging';
import { Child } from './child';
import type { WorkLedger } from './ledger';
import { until } from './wait';

/** What a stop may take: 25 s for running handlers, 5 s for confirms, 3 s for closing. */
export const GRACE_MS = 33_000;

/** The worker processes of one fault. */
export class Crew {
  readonly members: Child[] = [];
  /** Everyone who ever was. */
  readonly all: Child[] = [];
  longestStopMs = 0;
  private hired = 0;

  /** @param program under `dist/test/faults`, called with its ledger file and its options. */
  constructor(
    private readonly folder: string,
    private readonly ledger: WorkLedger,
    private readonly options: WorkerOptions,
    private readonly program = 'worker-process.js',
    private readonly prefix = 'worker',
  ) {}

  /** Starts so many. Resolves once they consume. */
  async hire(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.untilReady(this.start())));
  }

  start(): Child {
    const name = `${this.prefix}-${++this.hired}`;
    const args = [join(this.folder, `${name}.ledger`), JSON.stringify(this.options)];
    const child = new Child(name, join(__dirname, this.program), args, join(this.folder, `${name}.log`));
    this.members.push(child);
    this.all.push(child);
    return child;
  }

  /** kill -9 of a random one, and another in its place. */
  async killRandom(): Promise<void> {
    const victim = this.members[Math.floor(Math.random() * this.members.length)];
    if (!victim) return;
    this.forget(victim);
    await victim.kill();
    await this.untilReady(this.start());
  }

  /** SIGTERM to the oldest, and another in its place, as a rollout does. */
  async renewOldest(): Promise<void> {
    const [oldest] = this.members;
    if (!oldest) return;
    this.forget(oldest);
    const [stopMs] = await Promise.all([oldest.terminate(GRACE_MS), this.untilReady(this.start())]);
    this.longestStopMs = Math.max(this.longestStopMs, stopMs);
  }

  /** Replaces those that have ended by themselves. Returns how many. */
  async replaceDead(): Promise<number> {
    const dead = this.members.filter((child) => !child.running);
    for (const child of dead) this.forget(child);
    await this.hire(dead.length);
    return dead.length;
  }

  async stop(): Promise<void> {
    const stops = await Promise.all(this.members.splice(0).map((child) => child.terminate(GRACE_MS)));
    this.longestStopMs = Math.max(this.longestStopMs, ...stops);
  }

  private forget(child: Child): void {
    this.members.splice(this.members.indexOf(child), 1);
  }

  private async untilReady(child: Child): Promise<void> {
    const file = `${child.name}.ledger`;
    const isReady = () =>
      !child.running || this.ledger.read().remarks.some(({ word, process }) => word === 'ready' && process === file);
    await until(`${child.name} consumes`, isReady, 60_000);
  }
}
