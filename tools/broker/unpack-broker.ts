import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeOnce, thisDistribution, unpackPackages, type Distribution } from '../packages/unpack';
import { makeRelocatable } from './relocate-broker';
import { ToolError, cacheFolder } from './project';

const PACKAGES = {
  name: 'rabbitmq-server',
  /** Everything that the broker loads, and nothing that only Debian's service scripts need. */
  matching:
    /^(rabbitmq-server|erlang-.*|openssl-provider-legacy|zlib1g|lib(?!perl|python|popt|readline|sqlite|db5|ncursesw|wrap|net-|jemalloc).*)$/,
  /** The Erlang VM opens it by name at run time, so no package depends on it. */
  also: ['libsctp1'],
};

/**
 * Makes a RabbitMQ in the project's cache folder from the distribution's own packages: no root, no container, and
 * nothing of the machine's own packages is read or changed but the addresses of its mirrors.
 * @param suite a suite of the distribution. Default: the newest that works (Debian: sid, trixie, the machine's own).
 * @throws ToolError `NO_APT`, `UNPACK_FAILED`.
 */
export async function unpackBroker(
  suite: string | undefined,
  log: (line: string) => void,
): Promise<{ home: string; suite: string }> {
  const distribution = await thisDistribution();
  const suites = suite ? [suite] : [...new Set(suitesOf(distribution))];
  const made = suites.find((candidate) => existsSync(join(homeOf(candidate), 'VERSION')));
  if (made) return { home: homeOf(made), suite: made };
  const failures: string[] = [];
  for (const candidate of suites) {
    try {
      await make(distribution, candidate, log);
      return { home: homeOf(candidate), suite: candidate };
    } catch (error) {
      failures.push(`${candidate}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new ToolError('UNPACK_FAILED', failures.join('; '));
}

const homeOf = (suite: string): string => join(cacheFolder, 'broker', suite);

function suitesOf({ id, codename }: Distribution): string[] {
  return id === 'debian' ? ['sid', 'trixie', codename] : [codename];
}

async function make(distribution: Distribution, suite: string, log: (line: string) => void): Promise<void> {
  log(`No RabbitMQ on this machine: fetching the packages of "${suite}" into .cache/broker (once, some 60 MB) ...`);
  await makeOnce(homeOf(suite), async (work) => {
    const unpacked = await unpackPackages(PACKAGES, distribution, suite, work);
    const made = join(work, 'home');
    const version = await makeRelocatable(unpacked, made);
    await writeFile(join(made, 'VERSION'), `${version}\n`);
    return made;
  });
  log(`RabbitMQ is ready in .cache/broker/${suite}`);
}
