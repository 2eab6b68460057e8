import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ToolError, projectRoot } from '../broker/project';

const STOP_TIMEOUT_MS = 30_000;
const LAST_WORDS = 15;

/** One application as a process of its own. What it prints is remembered, and told line by line. */
export class AppProcess {
  readonly lastLines: string[] = [];
  private readonly child: ChildProcess;
  private readonly gone: Promise<void>;

  /** @param onLine hears what it prints on stdout. */
  constructor(
    readonly name: 'producer' | 'consumer' | 'logger',
    env: Readonly<Record<string, string>>,
    onLine: (line: string) => void = () => undefined,
  ) {
    const child = spawn(process.execPath, [join(projectRoot, `dist/apps/${name}/src/main.js`)], {
      cwd: projectRoot,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.gone = new Promise((resolve) => child.once('close', () => resolve()));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lastLines.push(line);
        if (this.lastLines.length > LAST_WORDS) this.lastLines.shift();
        if (stream === child.stdout) onLine(line);
      });
    }
  }

  /** @throws ToolError `DEMO_FAILED` once it has ended, which it should not while it is watched. */
  checkRuns(): void {
    if (this.child.exitCode === null && this.child.signalCode === null) return;
    throw new ToolError('DEMO_FAILED', `The ${this.name} ended:\n${this.lastLines.join('\n')}`);
  }

  /** As an operator would: SIGTERM, then wait. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.gone;
    clearTimeout(timer);
  }
}
