import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hasEnded, lastWill, tie } from '../broker/child';
import { freePort } from '../broker/ports';
import { ToolError } from '../broker/project';
import { findRedis } from './find-redis';

const START_TIMEOUT_MS = 20_000;
const MOST_TRIES = 5;

/** A Redis of its own, on loopback. It ends with the process that started it, however that ends. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly folder: string,
    private readonly port: number,
    private readonly will: ChildProcess,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** @param settings more of redis.conf. @throws ToolError `NO_REDIS`, `REDIS_FAILED`. */
  static async open(
    log: (line: string) => void = () => undefined,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<RedisServer> {
    const program = await findRedis(log);
    const folder = await mkdtemp(join(tmpdir(), 'mercury-redis-'));
    const will = lastWill('rm', '-rf', folder);
    for (let tries = 1; ; tries++) {
      const server = new RedisServer(program, folder, await freePort(), will, settings);
      try {
        await server.start();
        return server;
      } catch (error) {
        // Somebody may have taken the port in between.
        if (tries < MOST_TRIES) continue;
        await server.close();
        throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Resolves once it accepts connections, with what it knew when it ended. */
  async start(): Promise<void> {
    const settings = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.folder,
      appendonly: 'yes',
      // Else a write may wait behind a slow disk for up to two seconds, and a kill (-9) loses what was answered.
      appendfsync: 'always',
      save: '',
      ...this.settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [
      `--${name}`,
      ...(value === '' ? [''] : String(value).split(' ')),
    ]);
    const child = spawn(this.program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    tie(child);
    await untilReady(child);
  }

  /** Ends it as a power failure would. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child || hasEnded(child)) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  /** Lets it answer nothing, as a machine does that is out of reach, until `thaw`. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
    this.will.kill('SIGKILL');
  }
}

/** As its own log says: that something listens on its port may also mean that somebody else was there first. */
function untilReady(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new ToolError('REDIS_FAILED', `Redis did not start (${why}):\n${lines.join('\n')}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`not within ${START_TIMEOUT_MS} ms`);
    }, START_TIMEOUT_MS);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => fail(`it ended: ${signal ?? code}`));
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (lines.length > 20) lines.shift();
        if (!line.includes('Ready to accept connections')) return;
        clearTimeout(timer);
        resolve();
      });
    }
  });
}
