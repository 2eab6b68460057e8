import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { BrokerNode, removeFolder, type NodePorts } from './broker-node';
import { lastWill } from './child';
import { DockerNode } from './docker-node';
import { findBroker } from './find-broker';
import { freePorts, isFree } from './ports';
import { plainPaths } from './plain-paths';
import { ToolError, cacheFolder } from './project';
import type { SupervisorEvent, SupervisorRequest } from './protocol';

const PREDECESSOR_TIMEOUT_MS = 45_000;
const LOCK_TIMEOUT_MS = 3_000;
const MANAGEMENT_TIMEOUT_MS = 30_000;
const PID_FILE = 'supervisor.pid';

/**
 * A detached process that owns one broker. Everybody who uses the broker holds a connection to its socket; when the
 * last one is gone, however it ended, the broker ends too. So a killed test or demo leaves nothing behind.
 */
class Supervisor {
  private readonly holders = new Set<Socket>();
  private readonly history: string[] = [];
  private node: BrokerNode | DockerNode | undefined;
  private ready: SupervisorEvent | undefined;
  private folder: string | undefined;
  private cleared: Promise<void> | undefined;
  private readonly server: Server;
  private readonly linkPath: string;

  constructor(
    private readonly socketPath: string,
    private readonly shared: boolean,
    private readonly memoryLimitMib: number | undefined,
  ) {
    this.linkPath = socketPath.replace(/sock$/, 'path');
    this.server = createServer((socket) => this.hold(socket));
  }

  async run(): Promise<void> {
    if (!(await this.listen())) return;
    try {
      this.ready = await this.startBroker();
    } catch (error) {
      this.ready = {
        event: 'failed',
        code: codeOf(error),
        message: error instanceof Error ? error.message : String(error),
      };
    }
    this.tellAll(this.ready);
    await this.endWhenUnused();
  }

  /** False when another supervisor of the same broker was faster. */
  private async listen(): Promise<boolean> {
    const lock = `${this.socketPath}.lock`;
    // Held for a moment only: an old one was left by a killed supervisor.
    for (
      const deadlineMs = performance.now() + LOCK_TIMEOUT_MS;
      !(await isMade(lock)) && performance.now() < deadlineMs;
    )
      await pause(20);
    try {
      if (await answers(this.socketPath)) return false;
      await rm(this.socketPath, { force: true });
      this.server.listen(this.socketPath);
      await once(this.server, 'listening');
      return true;
    } finally {
      await rm(lock, { recursive: true, force: true });
    }
  }

  private async startBroker(): Promise<SupervisorEvent> {
    this.folder = this.shared ? join(cacheFolder, 'broker', 'dev') : await mkdtemp(join(tmpdir(), 'mercury-broker-'));
    await mkdir(this.folder, { recursive: true });
    if (!this.shared) lastWill('rm', '-rf', this.folder, this.socketPath, this.linkPath);
    const source = await findBroker((line) => this.tellAll({ event: 'progress', line }));
    if (this.shared) await this.untilPredecessorIsGone(this.folder);
    const ports = await choosePorts(this.shared);
    const plain = await plainPaths(this.linkPath);
    this.node =
      source.kind === 'docker'
        ? new DockerNode(source.image, ports, this.shared ? basename(this.socketPath, '.sock') : undefined)
        : new BrokerNode(
            {
              ...source,
              folder: plain(source.folder),
              erlangFolder: source.erlangFolder && plain(source.erlangFolder),
            },
            plain(this.folder),
            ports,
            undefined,
            this.memoryLimitMib,
          );
    this.tellAll({ event: 'progress', line: `Starting a private RabbitMQ (${source.description}) ...` });
    await this.node.start();
    const managementUrl = `http://guest:guest@127.0.0.1:${ports.management}`;
    return {
      event: 'ready',
      amqpUrl: `amqp://guest:guest@127.0.0.1:${ports.amqp}`,
      managementUrl,
      version: await versionOf(managementUrl),
      from: source.description,
    };
  }

  /** One that is just stopping still has the data open. */
  private async untilPredecessorIsGone(folder: string): Promise<void> {
    const file = join(folder, PID_FILE);
    const predecessor = Number(await readFile(file, 'utf8').catch(() => ''));
    const deadlineMs = performance.now() + PREDECESSOR_TIMEOUT_MS;
    const stays = () => predecessor > 0 && predecessor !== process.pid && isAlive(predecessor);
    while (stays() && performance.now() < deadlineMs) await pause(50);
    await writeFile(file, String(process.pid));
  }

  private hold(socket: Socket): void {
    this.holders.add(socket);
    const leave = () => {
      this.holders.delete(socket);
      void this.endWhenUnused();
    };
    socket.once('close', leave);
    socket.on('error', () => undefined);
    if (!this.ready) for (const line of this.history) tell(socket, { event: 'progress', line });
    if (this.ready) tell(socket, this.ready);
    createInterface({ input: socket })
      .on('line', (line) => void this.obey(socket, JSON.parse(line) as SupervisorRequest))
      // It passes on the errors of its input; `close` follows.
      .on('error', () => undefined);
  }

  private async obey(socket: Socket, { id, command }: SupervisorRequest): Promise<void> {
    try {
      if (command === 'release') await this.release(socket);
      else await this.node?.[command]();
      tell(socket, { event: 'done', id });
    } catch (error) {
      tell(socket, { event: 'refused', id, message: String(error) });
    }
    if (command === 'release') socket.end();
  }

  /** The last one to leave learns of it only when everything is gone. */
  private async release(socket: Socket): Promise<void> {
    this.holders.delete(socket);
    if (this.holders.size > 0) return;
    this.server.close();
    await this.clear();
  }

  private async endWhenUnused(): Promise<void> {
    if (this.holders.size > 0 || !this.ready) return;
    this.server.close();
    await this.clear();
    process.exit(0);
  }

  /** Once, whoever asks: a holder that dies while its release is under way does not cut it short. */
  private clear(): Promise<void> {
    this.cleared ??= (async () => {
      await this.node?.close();
      await rm(this.linkPath, { force: true });
      if (this.folder) await removeFolder(this.shared ? join(this.folder, PID_FILE) : this.folder);
    })();
    return this.cleared;
  }

  private tellAll(event: SupervisorEvent): void {
    if (event.event === 'progress') this.history.push(event.line);
    for (const holder of this.holders) tell(holder, event);
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function isMade(folder: string): Promise<boolean> {
  return mkdir(folder).then(
    () => true,
    () => false,
  );
}

function tell(socket: Socket, event: SupervisorEvent): void {
  if (socket.writable) socket.write(`${JSON.stringify(event)}\n`);
}

/** The shared broker is where a developer expects RabbitMQ, if that is free. */
async function choosePorts(shared: boolean): Promise<NodePorts> {
  const [amqp, management, distribution, epmd] = (await freePorts(4)) as [number, number, number, number];
  const usual = shared && (await isFree(5672)) && (await isFree(15672));
  return { amqp: usual ? 5672 : amqp, management: usual ? 15672 : management, distribution, epmd };
}

async function versionOf(managementUrl: string): Promise<string> {
  const { origin } = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
  // The port opens a moment before the API answers.
  for (const deadlineMs = performance.now() + MANAGEMENT_TIMEOUT_MS; performance.now() < deadlineMs; await pause(50)) {
    const response = await fetch(`${origin}/api/overview`, { headers: { authorization } }).catch(() => undefined);
    const overview = (await response?.json().catch(() => undefined)) as { rabbitmq_version?: string } | undefined;
    if (overview?.rabbitmq_version) return overview.rabbitmq_version;
  }
  throw new ToolError('BROKER_FAILED', 'The management API of the broker does not answer.');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? 'BROKER_FAILED';
}

const [socketPath, kind, memoryLimitMib] = process.argv.slice(2);
if (socketPath) {
  // Signals of the terminal are for the commands that use the broker: it ends when they have.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  new Supervisor(socketPath, kind === 'shared', memoryLimitMib ? Number(memoryLimitMib) : undefined)
    .run()
    .catch(async (error: unknown) => {
      await writeFile(join(tmpdir(), 'mercury-broker-error.log'), String(error));
      process.exit(1);
    });
}
