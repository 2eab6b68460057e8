import { spawn, type ChildProcess } from 'node:child_process';
import { hasEnded, tie } from './child';
import { untilListening } from './ports';

const START_TIMEOUT_MS = 10_000;

/** Erlang's port mapper, of one broker or cluster alone. Ours: one that Erlang starts by itself would outlive the nodes. */
export class Epmd {
  private process: ChildProcess | undefined;

  constructor(
    private readonly program: string,
    readonly port: number,
  ) {}

  /** Resolves once it listens; several nodes may ask. */
  async start(): Promise<void> {
    const epmd = (this.process ??= this.spawn());
    await untilListening(this.port, START_TIMEOUT_MS, () => hasEnded(epmd));
  }

  async close(): Promise<void> {
    const epmd = this.process;
    this.process = undefined;
    if (!epmd || hasEnded(epmd)) return;
    const gone = new Promise((resolve) => epmd.once('exit', resolve));
    epmd.kill('SIGTERM');
    await gone;
  }

  private spawn(): ChildProcess {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('ERL_'));
    const options = ['-port', String(this.port), '-address', '127.0.0.1'];
    const epmd = spawn(this.program, options, { env: Object.fromEntries(kept), stdio: 'ignore' });
    // That it could not be run shows in its missing pid.
    epmd.once('error', () => undefined);
    tie(epmd);
    return epmd;
  }
}
