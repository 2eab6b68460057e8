import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { built, projectRoot } from './built';
import { profilingArgs } from './profiling';

export type AppName = 'producer' | 'consumer' | 'logger';

const READY_TIMEOUT_MS = 30_000;
const ASK_AGAIN_MS = 5;
const LAST_WORDS = 4_000;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** One of Mercury's applications as it is built, with its default settings except for where things are. */
export class AppProcess {
  readonly pid: number;
  private readonly startedAtMs = performance.now();
  private readonly child: ChildProcess;
  private lastWords = '';

  private constructor(
    private readonly name: AppName,
    readonly url: string,
    env: Record<string, string>,
  ) {
    this.child = spawn(process.execPath, [...profilingArgs(name), built.app(name)], {
      cwd: projectRoot,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.child.pid ?? 0;
    alive.add(this.child);
    this.child.once('exit', () => alive.delete(this.child));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.lastWords = (this.lastWords + chunk.toString()).slice(-LAST_WORDS)));
    }
  }

  static async start(name: AppName, env: Record<string, string>): Promise<AppProcess> {
    const port = await built.ports().freePort();
    const url = `http://127.0.0.1:${port}`;
    return new AppProcess(name, url, { ...env, HOST: '127.0.0.1', PORT: String(port) });
  }

  /** Resolves to how long it took from its start until it said that it is ready, in seconds. */
  async untilReady(): Promise<number> {
    while (!(await this.isReady())) {
      const tookMs = performance.now() - this.startedAtMs;
      if (this.child.exitCode !== null || tookMs > READY_TIMEOUT_MS) {
        throw new Error(`The ${this.name} is not ready:\n${this.lastWords}`);
      }
      await pause(ASK_AGAIN_MS);
    }
    return (performance.now() - this.startedAtMs) / 1_000;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await gone;
  }

  private async isReady(): Promise<boolean> {
    return fetch(`${this.url}/health/ready`).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
  }
}
