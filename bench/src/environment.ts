import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { projectRoot } from './built';

/** What the numbers depend on. */
export interface Environment {
  date: string;
  cpuModel: string;
  cores: number;
  memoryGib: number;
  os: string;
  node: string;
  rabbitmq: string;
  commit: string;
  libraries: Record<string, string>;
}

const LIBRARIES = [
  'amqplib',
  '@golevelup/nestjs-rabbitmq',
  'amqp-connection-manager',
  'rabbitmq-client',
  '@nestjs/microservices',
  'bullmq',
  'fastify',
  'autocannon',
];

export function readEnvironment(brokerVersion: string): Environment {
  return {
    date: new Date().toISOString(),
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${release()}`,
    node: process.versions.node,
    rabbitmq: brokerVersion,
    commit: commitOf(),
    libraries: Object.fromEntries(LIBRARIES.map((name) => [name, versionOf(name)])),
  };
}

export function headingOf({ cpuModel, cores, node, rabbitmq, commit, libraries }: Environment): string {
  const versions = Object.entries(libraries).map(([name, version]) => `${name} ${version}`);
  return (
    `${cpuModel}, ${cores} cores, Node ${node}, RabbitMQ ${rabbitmq}, one node; Mercury at ${commit}.\n` +
    `${versions.join(', ')}.`
  );
}

function commitOf(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8', stdio: 'pipe' });
  try {
    const isChanged = git('status', '--porcelain').trim() !== '';
    return git('rev-parse', '--short=12', 'HEAD').trim() + (isChanged ? ' with changes' : '');
  } catch {
    return 'unknown';
  }
}

/** Not every package exports its package.json, so it is looked for where its program is. */
function versionOf(name: string): string {
  let folder = dirname(createRequire(__filename).resolve(name));
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
      if (found['name'] === name) return found['version'] ?? 'unknown';
    } catch {
      // Not here: one folder up.
    }
  }
  return 'unknown';
}
