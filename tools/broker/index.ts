import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { ToolError, projectRoot } from './project';
import type { SupervisorEvent, SupervisorRequest } from './protocol';

const CONNECT_TIMEOUT_MS = 15_000;
const RELEASE_TIMEOUT_MS = 45_000;
const MOST_TRIES = 5;

export interface AcquireOptions {
  /** The one development broker of this checkout, whose data stays. Default: a private one, gone after use. */
  shared?: boolean;
  /** Where its programs have to come from: a value of `MERCURY_BROKER`. Default: what that says, or whatever is found. */
  from?: string;
  /** The memory from which on a private one takes no more messages, in MiB. Default 512; a container's own default otherwise. */
  memoryLimitMib?: number;
  /** Hears what is going on, line by line. */
  log?: (line: string) => void;
}

/** A RabbitMQ that runs for as long as somebody holds it. */
export interface Broker {
  readonly amqpUrl: string;
  /** With user and password. */
  readonly managementUrl: string;
  readonly version: string;
  /** Where its programs come from, for people. */
  readonly from: string;
  /** Stops it as an operator would; `start` brings it back with its data. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
  /** Lets go of it. When nobody else holds it, resolves once it is gone. */
  release(): Promise<void>;
}

/**
 * Starts a broker, or joins the shared one that runs. It ends when the last holder has let go of it or has died.
 * @throws ToolError `NO_BROKER`, `BROKER_FAILED`, `SUPERVISOR_ENDED`.
 */
export async function acquireBroker(options: AcquireOptions = {}): Promise<Broker> {
  const socketPath = socketPathOf(options.shared ?? false);
  for (let tries = 1; ; tries++) {
    const socket = (await tryConnect(socketPath)) ?? (await startSupervisor(socketPath, options));
    try {
      return await new Holder(socket).untilReady(options.log ?? (() => undefined));
    } catch (error) {
      // It was just ending with its last holder: the next one waits until it is gone.
      if ((error as ToolError).code !== 'SUPERVISOR_ENDED' || tries === MOST_TRIES) throw error;
    }
  }
}

/** Short: the path of a unix socket has at most 107 bytes. */
function socketPathOf(shared: boolean): string {
  const name = shared ? createHash('sha256').update(projectRoot).digest('hex') : randomBytes(8).toString('hex');
  return join(tmpdir(), `mercury-${name.slice(0, 16)}.sock`);
}

async function startSupervisor(
  socketPath: string,
  { shared = false, from, memoryLimitMib }: AcquireOptions,
): Promise<Socket> {
  // The compiled one, also for tests that run from sources: a process of its own needs plain JavaScript.
  const program = join(projectRoot, 'dist/tools/broker/supervisor.js');
  const args = [socketPath, shared ? 'shared' : 'private', ...(memoryLimitMib ? [String(memoryLimitMib)] : [])];
  const child = spawn(process.execPath, [program, ...args], {
    cwd: projectRoot,
    env: { ...process.env, ...(from === undefined ? {} : { MERCURY_BROKER: from }) },
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  let ended = false;
  child.once('exit', () => (ended = true));
  for (const deadlineMs = performance.now() + CONNECT_TIMEOUT_MS; performance.now() < deadlineMs; await pause(30)) {
    const wasEnded: boolean = ended;
    const socket = await tryConnect(socketPath);
    if (socket) return socket;
    if (wasEnded) break;
  }
  throw new ToolError('BROKER_FAILED', 'The broker supervisor did not start. Is the project built (npm run build)?');
}

function tryConnect(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

class Holder {
  private requests = 0;
  private readonly open = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  private onReady: (event: SupervisorEvent) => void = () => undefined;
  private onLine: (line: string) => void = () => undefined;

  constructor(private readonly socket: Socket) {
    createInterface({ input: socket })
      .on('line', (line) => this.hear(JSON.parse(line) as SupervisorEvent))
      // It passes on the errors of its input; `close` follows.
      .on('error', () => undefined);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      const lost = new ToolError('SUPERVISOR_ENDED', 'The broker supervisor ended.');
      this.onReady({ event: 'failed', code: lost.code, message: lost.message });
      for (const { reject } of this.open.values()) reject(lost);
      this.open.clear();
    });
  }

  async untilReady(log: (line: string) => void): Promise<Broker> {
    this.onLine = log;
    const event = await new Promise<SupervisorEvent>((resolve) => (this.onReady = resolve));
    if (event.event !== 'ready') {
      this.socket.destroy();
      throw event.event === 'failed'
        ? new ToolError(event.code, event.message)
        : new ToolError('BROKER_FAILED', 'No broker.');
    }
    const { amqpUrl, managementUrl, version, from } = event;
    return {
      amqpUrl,
      managementUrl,
      version,
      from,
      start: () => this.ask('start'),
      stop: () => this.ask('stop'),
      kill: () => this.ask('kill'),
      release: () => this.release(),
    };
  }

  private async release(): Promise<void> {
    const timer = setTimeout(() => this.socket.destroy(), RELEASE_TIMEOUT_MS);
    await this.ask('release').catch(() => undefined);
    clearTimeout(timer);
    this.socket.destroy();
  }

  private ask(command: SupervisorRequest['command']): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new ToolError('BROKER_FAILED', 'The broker was released.'));
      const id = ++this.requests;
      this.open.set(id, { resolve, reject });
      this.socket.write(`${JSON.stringify({ id, command } satisfies SupervisorRequest)}\n`);
    });
  }

  private hear(event: SupervisorEvent): void {
    switch (event.event) {
      case 'progress':
        return this.onLine(event.line);
      case 'ready':
      case 'failed':
        return this.onReady(event);
      case 'done':
        this.open.get(event.id)?.resolve();
        return void this.open.delete(event.id);
      case 'refused':
        this.open.get(event.id)?.reject(new ToolError('BROKER_FAILED', event.message));
        return void this.open.delete(event.id);
    }
  }
}
