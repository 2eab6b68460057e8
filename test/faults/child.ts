import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** Those that are not known to have ended: killed when the suite ends, however that comes. */
const alive = new Set<ChildProcess>();
process.on('exit', killAllChildren);

export function killAllChildren(): void {
  for (const child of alive) child.kill('SIGKILL');
}

/** A process of the system under test. Ends it was not told to make are found by `unexpected`. */
export class Child {
  /** Resolves to its exit code or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
  private ended: number | NodeJS.Signals | undefined;
  /** Its tasks may kill it: that is the fault. */
  mayBeKilled = false;
  private asked: 'SIGKILL' | 'SIGTERM' | undefined;
  private askedAtMs = 0;
  private readonly process: ChildProcess;

  /** @param logFile where its stdout and stderr go. */
  constructor(
    readonly name: string,
    program: string,
    args: readonly string[],
    logFile: string,
    env: Readonly<Record<string, string>> = {},
  ) {
    const log = openSync(logFile, 'a');
    this.process = fork(program, args, {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...env },
      // A crash in its log then names the line of the source.
      execArgv: ['--enable-source-maps'],
    });
    closeSync(log);
    alive.add(this.process);
    this.exit = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => {
        alive.delete(this.process);
        resolve((this.ended = signal ?? code ?? 0));
      });
    });
    this.process.on('error', () => undefined);
  }

  get running(): boolean {
    return this.ended === undefined;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** A signal that is not meant to end it. */
  signal(signal: 'SIGUSR2'): void {
    this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.asked = 'SIGKILL';
    this.process.kill('SIGKILL');
    await this.exit;
  }

  /** SIGTERM. Resolves to how long it took to end, in milliseconds; one that is late is killed. */
  async terminate(graceMs: number): Promise<number> {
    this.asked ??= 'SIGTERM';
    this.askedAtMs = performance.now();
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), graceMs);
    await this.exit;
    clearTimeout(timer);
    return performance.now() - this.askedAtMs;
  }

  /** What was wrong about its end; undefined when nothing was, or when it still runs. */
  get unexpected(): string | undefined {
    if (this.ended === undefined || this.asked === 'SIGKILL') return undefined;
    if (this.asked === 'SIGTERM') {
      if (this.ended === 0) return undefined;
      return this.ended === 'SIGKILL'
        ? `${this.name} did not end within its grace`
        : `${this.name} ended with ${this.ended} at SIGTERM`;
    }
    if (this.mayBeKilled && this.ended === 'SIGKILL') return undefined;
    return `${this.name} ended by itself with ${this.ended}`;
  }
}
