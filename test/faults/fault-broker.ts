import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokerNode, epmdOf, removeFolder, type FolderSource } from '../../tools/broker/broker-node';
import { lastWill } from '../../tools/broker/child';
import { Epmd } from '../../tools/broker/epmd';
import { BROKER_VERSIONS, findBroker, type BrokerVersion } from '../../tools/broker/find-broker';
import { plainPaths } from '../../tools/broker/plain-paths';
import { freePorts } from '../../tools/broker/ports';
import { ToolError } from '../../tools/broker/project';
import { Management } from './management';
import { until } from './wait';

/** Queues count themselves twice a second instead of every 5 s. */
const ADVANCED_CONFIG = '[{rabbit, [{quorum_tick_interval, 500}]}].\n';

/**
 * @param version default: what `findBroker` finds on this machine.
 * @throws ToolError `NO_BROKER`, `NOT_HERE` when this machine has none whose processes the suite could kill and measure.
 */
export async function findFaultBroker(
  version: BrokerVersion | undefined,
  log: (line: string) => void,
): Promise<FolderSource> {
  if (process.platform !== 'linux') throw new ToolError('NOT_HERE', 'The fault suite reads /proc: it needs Linux.');
  if (version) process.env['MERCURY_BROKER'] = BROKER_VERSIONS[version];
  const source = await findBroker(log);
  if (source.kind === 'folder') return source;
  throw new ToolError('NOT_HERE', 'The fault suite kills brokers: it needs one outside of containers (--broker 4.3).');
}

interface FaultNode {
  name: string;
  node: BrokerNode;
  amqpPort: number;
  managementUrl: string;
}

/** A real RabbitMQ, of one node or a cluster of three, that belongs to the suite and may be stopped, killed and starved. */
export class FaultBroker {
  readonly management: Management;
  version = '';

  private constructor(
    private readonly folder: string,
    private readonly epmd: Epmd,
    private readonly nodes: readonly FaultNode[],
  ) {
    this.management = new Management(nodes.map(({ managementUrl }) => managementUrl));
  }

  static async open(source: FolderSource, nodeCount: number): Promise<FaultBroker> {
    const folder = await mkdtemp(join(tmpdir(), 'mercury-faults-broker-'));
    lastWill('rm', '-rf', folder);
    const opened = await FaultBroker.install(source, folder, nodeCount);
    try {
      await Promise.all(opened.names.map((name) => opened.start(name)));
      await until('every node has joined', () => opened.isWhole(), 60_000, 200);
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  private static async install(found: FolderSource, folder: string, nodeCount: number): Promise<FaultBroker> {
    const plain = await plainPaths(join(folder, 'cache'));
    const erlangFolder = found.erlangFolder && plain(found.erlangFolder);
    const source = { ...found, folder: plain(found.folder), erlangFolder };
    const [epmdPort = 0, ...ports] = await freePorts(1 + 3 * nodeCount);
    const epmd = new Epmd(epmdOf(source), epmdPort);
    const names = Array.from({ length: nodeCount }, (_, index) => `mercury${index + 1}`);
    const cookie = randomBytes(24).toString('hex');
    const nodes = names.map(async (name, index): Promise<FaultNode> => {
      const [amqp = 0, management = 0, distribution = 0] = ports.slice(3 * index);
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'advanced.config'), ADVANCED_CONFIG);
      const node = new BrokerNode(
        source,
        join(folder, name),
        { amqp, management, distribution, epmd: epmdPort },
        { name, names, cookie, epmd },
      );
      return { name, node, amqpPort: amqp, managementUrl: `http://guest:guest@127.0.0.1:${management}` };
    });
    return new FaultBroker(folder, epmd, await Promise.all(nodes));
  }

  get names(): readonly string[] {
    return this.nodes.map(({ name }) => name);
  }

  /** One URL per node. */
  urlsOf(virtualHost: string): string[] {
    return this.nodes.map(({ amqpPort }) => `amqp://guest:guest@127.0.0.1:${amqpPort}/${virtualHost}`);
  }

  /** As its operator would. */
  async stop(name = this.names[0]): Promise<void> {
    await this.nodeNamed(name).stop();
  }

  /** kill -9, as a power failure. */
  async kill(name = this.names[0]): Promise<void> {
    await this.nodeNamed(name).kill();
  }

  async start(name = this.names[0]): Promise<void> {
    await this.nodeNamed(name).start();
  }

  /** `rabbitmqctl`. */
  control(...args: string[]): Promise<string> {
    return this.nodeNamed(this.names[0]).control(...args);
  }

  /** Whether all nodes run, as a cluster. */
  async isWhole(): Promise<boolean> {
    try {
      this.version ||= await this.management.version();
      return (await this.management.runningNodes()).length === this.nodes.length;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ node }) => node.close()));
    await this.epmd.close();
    await rm(join(this.folder, 'cache'), { force: true });
    await removeFolder(this.folder);
  }

  private nodeNamed(name: string | undefined): BrokerNode {
    const found = this.nodes.find((node) => node.name === name);
    if (!found) throw new Error(`There is no node "${name}".`);
    return found.node;
  }
}
