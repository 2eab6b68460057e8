import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { BrokerNode, removeFolder, type NodePorts } from './broker-node';
import { DockerNode } from './docker-node';
import { findBroker } from './find-broker';
import { freePorts, isFree } from './ports';
import { ToolError, cacheFolder } from './project';
import type { SupervisorEvent, SupervisorRequest } from './protocol';

const PREDECESSOR_TIMEOUT_MS = 45_000;
const MANAGEMENT_TIMEOUT_MS = 30_000;

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
  private readonly server: Server;

  constructor(
    private readonly socketPath: string,
    private readonly shared: boolean,
  ) {
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
  private listen(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') return reject(error);
        const other = connect(this.socketPath);
        other.once('connect', () => {
          other.destroy();
          resolve(false);
        });
        // Nobody answers: its owner was killed. Take its place.
        other.once(
          'error',
          () => void rm(this.socketPath, { force: true }).then(() => this.listen().then(resolve, reject)),
        );
      });
      this.server.listen(this.socketPath, () => resolve(true));
    });
  }

  private async startBroker(): Promise<SupervisorEvent> {
    const source = await findBroker((line) => this.tellAll({ event: 'progress', line }));
    this.folder = this.shared ? join(cacheFolder, 'broker', 'dev') : await mkdtemp(join(tmpdir(), 'mercury-broker-'));
    await mkdir(this.folder, { recursive: true });
    if (this.shared) await this.untilPredecessorIsGone(this.folder);
    const ports = await choosePorts(this.shared);
    this.node =
      source.kind === 'docker' ? new DockerNode(source.image, ports) : new BrokerNode(source, this.folder, ports);
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
    const file = join(folder, 'supervisor.pid');
    const predecessor = Number(await readFile(file, 'utf8').catch(() => ''));
    const deadlineMs = performance.now() + PREDECESSOR_TIMEOUT_MS;
    while (predecessor > 0 && isAlive(predecessor) && performance.now() < deadlineMs) await pause(50);
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
    for (const line of this.history) tell(socket, { event: 'progress', line });
    if (this.ready) tell(socket, this.ready);
    createInterface({ input: socket }).on(
      'line',
      (line) => void this.obey(socket, JSON.parse(line) as SupervisorRequest),
    );
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
    if (this.holders.size > 1 || !this.holders.has(socket)) return;
    this.server.close();
    await this.clear();
  }

  private async endWhenUnused(): Promise<void> {
    if (this.holders.size > 0 || !this.ready) return;
    this.server.close();
    await this.clear();
    process.exit(0);
  }

  private async clear(): Promise<void> {
    const { node } = this;
    this.node = undefined;
    await node?.close();
    if (this.folder && !this.shared) await removeFolder(this.folder);
  }

  private tellAll(event: SupervisorEvent): void {
    if (event.event === 'progress') this.history.push(event.line);
    for (const holder of this.holders) tell(holder, event);
  }
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

const [socketPath, kind] = process.argv.slice(2);
if (socketPath) {
  // Signals of the terminal are for the commands that use the broker: it ends when they have.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  new Supervisor(socketPath, kind === 'shared').run().catch(async (error: unknown) => {
    await writeFile(join(tmpdir(), 'mercury-broker-error.log'), String(error));
    process.exit(1);
  });
}
