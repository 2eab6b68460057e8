import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './child';
import { ToolError } from './project';
import { unpackBroker } from './unpack-broker';

/** Where broker programs come from. */
export type BrokerSource =
  | { kind: 'folder'; description: string; folder: string; erlangFolder: string | undefined }
  | { kind: 'docker'; description: string; image: string };

/** The oldest and the newest version that are supported, each with the `MERCURY_BROKER` that makes it of Debian's packages. */
export const BROKER_VERSIONS = { '4.3': 'unpacked:sid', '3.10': 'unpacked:bookworm' } as const;
export type BrokerVersion = keyof typeof BROKER_VERSIONS;

const DOCKER_IMAGE = 'rabbitmq:4.3-management';
/** Debian's /usr/sbin/rabbitmq-server switches to the system's user and data: the real script comes first. */
const SERVER_FOLDERS = ['/usr/lib/rabbitmq/bin', '/opt/rabbitmq/sbin', '/opt/homebrew/sbin', '/usr/local/sbin'];

/**
 * Finds a RabbitMQ to run: one installed here, else one unpacked from the distribution's packages, else Docker.
 * `MERCURY_BROKER` = `host`, `unpacked`, `unpacked:<suite>` or `docker` allows one way only.
 * @throws ToolError `NO_BROKER`, with why each way failed.
 */
export async function findBroker(log: (line: string) => void): Promise<BrokerSource> {
  const wanted = process.env['MERCURY_BROKER'] ?? '';
  const [wantedWay, suite] = wanted.split(':');
  const ways: [string, () => Promise<BrokerSource>][] = [
    ['host', async () => installedHere()],
    ['unpacked', () => unpacked(suite, log)],
    ['docker', dockerImage],
  ];
  const failures: string[] = [];
  for (const [way, find] of ways) {
    if (wantedWay && way !== wantedWay) continue;
    try {
      return await find();
    } catch (error) {
      failures.push(`  ${way}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new ToolError(
    'NO_BROKER',
    [
      'No RabbitMQ could be found or made. Any of these four ways helps:',
      '  - set RABBITMQ_URL to a broker that runs (3.10 or newer)',
      '  - install RabbitMQ, for example: apt-get install rabbitmq-server, or: brew install rabbitmq',
      '  - on Debian or Ubuntu with apt: let this command unpack it into .cache (it tried, see below)',
      '  - install and start Docker',
      'What was tried:',
      ...failures,
    ].join('\n'),
  );
}

function installedHere(): BrokerSource {
  const onPath = (process.env['PATH'] ?? '').split(delimiter);
  const folder = [...SERVER_FOLDERS, ...onPath].find(
    (candidate) => candidate !== '/usr/sbin' && candidate !== '/sbin' && existsSync(join(candidate, 'rabbitmq-server')),
  );
  if (!folder) throw new ToolError('NOT_INSTALLED', 'no rabbitmq-server on this machine');
  return { kind: 'folder', description: `installed in ${folder}`, folder, erlangFolder: undefined };
}

async function unpacked(suite: string | undefined, log: (line: string) => void): Promise<BrokerSource> {
  const { home, suite: unpackedSuite } = await unpackBroker(suite, log);
  const description = `unpacked from the packages of "${unpackedSuite}"`;
  return { kind: 'folder', description, folder: join(home, 'rabbitmq/sbin'), erlangFolder: join(home, 'erlang/bin') };
}

async function dockerImage(): Promise<BrokerSource> {
  await run('docker', ['version', '--format', '{{.Server.Version}}']);
  return { kind: 'docker', description: `Docker image ${DOCKER_IMAGE}`, image: DOCKER_IMAGE };
}
