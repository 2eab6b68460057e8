import { spawn, type ChildProcess } from 'node:child_process';
import { chown, cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hasEnded, lastWill, run, tie } from '../broker/child';
import { freePort } from '../broker/ports';
import { ToolError } from '../broker/project';
import { findPostgres } from './find-postgres';

const START_TIMEOUT_MS = 20_000;
const MOST_TRIES = 5;
/** PostgreSQL refuses to run as root: then as `nobody`. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;

/** A PostgreSQL of its own, on loopback. It ends with the process that started it, however that ends. */
export class PostgresServer {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly bin: string,
    private readonly folder: string,
    private readonly port: number,
    private readonly will: ChildProcess,
  ) {}

  /** @throws ToolError `NO_POSTGRES`, `POSTGRES_FAILED`. */
  static async open(log: (line: string) => void = () => undefined): Promise<PostgresServer> {
    const { bin, home } = await findPostgres(log);
    const folder = await mkdtemp(join(tmpdir(), 'mercury-postgres-'));
    const will = lastWill('rm', '-rf', folder);
    try {
      // Who is not root any more may not be able to read where the project is.
      const reachable = isRoot && home !== undefined ? bin.replace(home, join(folder, 'home')) : bin;
      if (reachable !== bin) await cp(home ?? '', join(folder, 'home'), { recursive: true, verbatimSymlinks: true });
      await mkdir(join(folder, 'data'));
      if (isRoot) for (const each of [folder, join(folder, 'data')]) await chown(each, NOBODY.uid, NOBODY.gid);
      const args = [
        '-D',
        join(folder, 'data'),
        '-U',
        'mercury',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale=C',
        '--no-sync',
      ];
      await run(join(reachable, 'initdb'), args, user(folder));
      for (let tries = 1; ; tries++) {
        const server = new PostgresServer(reachable, folder, await freePort(), will);
        try {
          await server.start();
          return server;
        } catch (error) {
          // Somebody may have taken the port in between.
          if (tries >= MOST_TRIES) throw error;
        }
      }
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      will.kill('SIGKILL');
      throw error;
    }
  }

  get url(): string {
    return `postgres://mercury@127.0.0.1:${this.port}/postgres`;
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child && !hasEnded(child)) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      // Immediate shutdown: its processes end, too, which they would not after SIGKILL.
      child.kill('SIGQUIT');
      await gone;
    }
    await rm(this.folder, { recursive: true, force: true });
    this.will.kill('SIGKILL');
  }

  private async start(): Promise<void> {
    const settings = {
      port: this.port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      jit: 'off',
      shared_buffers: '16MB',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(join(this.bin, 'postgres'), ['-D', join(this.folder, 'data'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...user(this.folder),
    });
    this.child = child;
    tie(child);
    await untilReady(child);
  }
}

function user(cwd: string) {
  return { cwd, ...(isRoot ? NOBODY : {}), env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } };
}

/** As its own log says: that something listens on its port may also mean that somebody else was there first. */
function untilReady(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new ToolError('POSTGRES_FAILED', `PostgreSQL did not start (${why}):\n${lines.join('\n')}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGQUIT');
      fail(`not within ${START_TIMEOUT_MS} ms`);
    }, START_TIMEOUT_MS);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => fail(`it ended: ${signal ?? code}`));
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 20) lines.shift();
      if (!line.includes('database system is ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
