import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { chmod, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { hasEnded, run, tie } from './child';
import { Epmd } from './epmd';
import type { BrokerSource } from './find-broker';
import { ToolError } from './project';

const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 30_000;

export interface NodePorts {
  amqp: number;
  management: number;
  distribution: number;
  epmd: number;
}

export type FolderSource = Extract<BrokerSource, { kind: 'folder' }>;

/** What the nodes of one cluster share, beside the epmd that is meant by the ports of all of them. */
export interface Membership {
  /** This node's own, before the @. */
  name: string;
  /** Of all nodes, this one included. */
  names: readonly string[];
  cookie: string;
  epmd: Epmd;
}

/**
 * A private RabbitMQ with a folder and ports of its own; alone it also has a cookie and an epmd of its own. It listens
 * on loopback only.
 */
export class BrokerNode {
  private beam: ChildProcess | undefined;
  private readonly ownEpmd: Epmd | undefined;

  constructor(
    private readonly source: FolderSource,
    private readonly folder: string,
    private readonly ports: NodePorts,
    private readonly membership?: Membership,
    /** From which on it takes no more messages. */
    private readonly memoryLimitMib = 512,
  ) {
    if (!membership) this.ownEpmd = new Epmd(epmdOf(source), ports.epmd);
  }

  /** Resolves when AMQP connections are accepted. @throws ToolError `BROKER_FAILED`, with the broker's last words. */
  async start(): Promise<void> {
    await checkLocalhost();
    await this.configure();
    await (this.membership?.epmd ?? this.ownEpmd)?.start();
    const output: string[] = [];
    const beam = spawn(join(this.source.folder, 'rabbitmq-server'), [], {
      env: this.environment(),
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.beam = beam;
    tie(beam);
    for (const stream of [beam.stdout, beam.stderr]) {
      stream.on('data', (chunk: Buffer) => void (output.push(chunk.toString()) > 50 && output.shift()));
    }
    const failed = new Promise<void>((resolve) => beam.once('error', () => resolve()));
    const started = this.untilStarted(() => hasEnded(beam));
    try {
      await Promise.race([started, failed.then(() => Promise.reject(new Error('rabbitmq-server could not be run')))]);
    } catch (cause) {
      const lastWords = `${output.join('')}\n${await this.logTail()}`.trim().split('\n').slice(-20).join('\n');
      await this.kill();
      throw new ToolError('BROKER_FAILED', `RabbitMQ did not start:\n${lastWords}`, { cause });
    }
  }

  /** As an operator would: SIGTERM, then wait. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** As a power failure would. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** Runs `rabbitmqctl` on it. Resolves to what it printed. @throws ToolError `COMMAND_FAILED`. */
  control(...args: string[]): Promise<string> {
    return run(join(this.source.folder, 'rabbitmqctl'), args, { env: this.environment() });
  }

  /** Stops the node, and its epmd when that is its own. The folder stays. */
  async close(): Promise<void> {
    await this.stop();
    await this.ownEpmd?.close();
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { beam } = this;
    this.beam = undefined;
    if (!beam || hasEnded(beam)) return;
    const gone = new Promise<void>((resolve) => beam.once('exit', () => resolve()));
    beam.kill(signal);
    const timer = setTimeout(() => beam.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  }

  private async configure(): Promise<void> {
    // Only of this run: what it says is read, too.
    await rm(join(this.folder, 'log'), { recursive: true, force: true });
    for (const folder of ['home', 'data', 'log', 'conf.d']) await mkdir(join(this.folder, folder), { recursive: true });
    const cookie = join(this.folder, 'home/.erlang.cookie');
    if (!existsSync(cookie)) await writeFile(cookie, this.membership?.cookie ?? randomBytes(24).toString('hex'));
    await chmod(cookie, 0o400);
    await writeFile(join(this.folder, 'enabled_plugins'), '[rabbitmq_management].\n');
    await writeFile(join(this.folder, 'rabbitmq-env.conf'), '');
    await writeFile(join(this.folder, 'rabbitmq.conf'), this.rabbitmqConf());
  }

  private rabbitmqConf(): string {
    return [
      `listeners.tcp.local = 127.0.0.1:${this.ports.amqp}`,
      'distribution.listener.interface = 127.0.0.1',
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${this.ports.management}`,
      `vm_memory_high_watermark.absolute = ${this.memoryLimitMib}MiB`,
      'disk_free_limit.absolute = 50MB',
      'log.console = false',
      'log.file.level = info',
      ...this.clusterConf(),
      '',
    ].join('\n');
  }

  private clusterConf(): string[] {
    const { names = [] } = this.membership ?? {};
    if (names.length < 2) return [];
    return [
      'cluster_formation.peer_discovery_backend = classic_config',
      `cluster_formation.target_cluster_size_hint = ${names.length}`,
      ...names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}@localhost`),
    ];
  }

  private environment(): NodeJS.ProcessEnv {
    const inFolder = (name: string) => join(this.folder, name);
    const kept = Object.entries(process.env).filter(([name]) => !/^(RABBITMQ_|ERL_|NODE_OPTIONS)/.test(name));
    return {
      ...Object.fromEntries(kept),
      PATH: [this.source.erlangFolder, process.env['PATH']].filter(Boolean).join(delimiter),
      HOME: inFolder('home'),
      // Also names the data: the same on whichever ports the node comes back. Unique within its epmd.
      RABBITMQ_NODENAME: `${this.membership?.name ?? 'mercury'}@localhost`,
      RABBITMQ_NODE_PORT: String(this.ports.amqp),
      RABBITMQ_DIST_PORT: String(this.ports.distribution),
      RABBITMQ_MNESIA_BASE: inFolder('data'),
      RABBITMQ_LOG_BASE: inFolder('log'),
      RABBITMQ_PID_FILE: inFolder('pid'),
      RABBITMQ_CONF_ENV_FILE: inFolder('rabbitmq-env.conf'),
      RABBITMQ_CONFIG_FILE: inFolder('rabbitmq.conf'),
      RABBITMQ_CONFIG_FILES: inFolder('conf.d'),
      RABBITMQ_ADVANCED_CONFIG_FILE: inFolder('advanced.config'),
      RABBITMQ_GENERATED_CONFIG_DIR: inFolder('generated'),
      RABBITMQ_ENABLED_PLUGINS_FILE: inFolder('enabled_plugins'),
      ERL_EPMD_PORT: String(this.ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_CRASH_DUMP_SECONDS: '0',
      // The server script then becomes the broker itself instead of a shell around it, so that a kill hits the broker.
      RUNNING_UNDER_SYSTEMD: 'true',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +stbt u -kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_CTL_ERL_ARGS: '+S 1:1',
    };
  }

  /** As its own log says: that something listens on its ports may also mean that somebody else was there first. */
  private async untilStarted(ended: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (!(await this.logTail()).includes('Server startup complete')) {
      if (ended()) throw new ToolError('BROKER_FAILED', 'The broker ended before it had started.');
      if (performance.now() > deadlineMs) throw new ToolError('BROKER_FAILED', 'The broker takes too long to start.');
      await pause(50);
    }
  }

  private async logTail(): Promise<string> {
    const files = await readdir(join(this.folder, 'log')).catch(() => []);
    const texts = await Promise.all(
      files.map((file) => readFile(join(this.folder, 'log', file), 'utf8').catch(() => '')),
    );
    return texts.join('\n');
  }
}

/** Erlang's nodes are named by it: without it RabbitMQ tries for minutes, and does not say why. */
export async function checkLocalhost(resolve: (name: string) => Promise<unknown> = lookup): Promise<void> {
  try {
    await resolve('localhost');
  } catch (cause) {
    const message =
      'The name "localhost" cannot be resolved here, which RabbitMQ needs: add the line "127.0.0.1 localhost" to /etc/hosts.';
    throw new ToolError('BROKER_FAILED', message, { cause });
  }
}

/** The program, of a source. */
export function epmdOf({ erlangFolder }: FolderSource): string {
  return erlangFolder ? join(erlangFolder, 'epmd') : 'epmd';
}

/** Removes a node's folder, once the node is closed. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
