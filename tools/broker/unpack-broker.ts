import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lastWill, run } from './child';
import { makeRelocatable } from './relocate-broker';
import { ToolError, cacheFolder } from './project';

interface Distribution {
  id: 'debian' | 'ubuntu';
  codename: string;
}

/** Everything that the broker loads, and nothing that only Debian's service scripts need. */
const WANTED =
  /^(rabbitmq-server|erlang-.*|openssl-provider-legacy|zlib1g|lib(?!perl|python|popt|readline|sqlite|db5|ncursesw|wrap|net-|jemalloc).*)$/;
/** The Erlang VM opens it by name at run time, so no package depends on it. */
const ALSO_WANTED = 'libsctp1';

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

async function thisDistribution(): Promise<Distribution> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(release)?.[1] ?? '';
  const family = `${field('ID')} ${field('ID_LIKE')}`;
  const id = family.includes('ubuntu') ? 'ubuntu' : 'debian';
  if (!/debian|ubuntu/.test(family) || !existsSync('/usr/bin/apt-get')) {
    throw new ToolError('NO_APT', 'this is no Debian or Ubuntu with apt');
  }
  return { id, codename: field('UBUNTU_CODENAME') || field('VERSION_CODENAME') };
}

function suitesOf({ id, codename }: Distribution): string[] {
  return id === 'debian' ? ['sid', 'trixie', codename] : [codename];
}

async function make(distribution: Distribution, suite: string, log: (line: string) => void): Promise<void> {
  const home = homeOf(suite);
  await mkdir(join(cacheFolder, 'broker'), { recursive: true });
  // Made beside its place and then moved there in one step: an interrupted download leaves nothing half made.
  const work = await mkdtemp(join(cacheFolder, 'broker', `${suite}.making-`));
  // A moment later: the program that is just unpacking ends by itself.
  const will = lastWill('/bin/sh', '-c', 'sleep 5; rm -rf "$0"', work);
  try {
    log(`No RabbitMQ on this machine: fetching the packages of "${suite}" into .cache/broker (once, some 60 MB) ...`);
    const packages = await download(distribution, suite, work);
    const unpackedFolder = join(work, 'unpacked');
    await mkdir(unpackedFolder);
    for (const file of packages) await run('dpkg-deb', ['-x', file, unpackedFolder]);
    const made = join(work, 'home');
    const version = await makeRelocatable(unpackedFolder, made);
    await writeFile(join(made, 'VERSION'), `${version}\n`);
    // Another process may have been faster: then its result is as good.
    if (!existsSync(join(home, 'VERSION'))) await rename(made, home);
    log(`RabbitMQ is ready in .cache/broker/${suite}`);
  } finally {
    await rm(work, { recursive: true, force: true });
    will.kill('SIGKILL');
  }
}

/** A private apt: own lists, own cache, no installed packages. It checks signatures as the system's own does. */
async function download(distribution: Distribution, suite: string, work: string): Promise<string[]> {
  const apt = join(work, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'log']) {
    await mkdir(join(apt, folder), { recursive: true });
  }
  const keyring = `/usr/share/keyrings/${distribution.id}-archive-keyring.gpg`;
  const components = distribution.id === 'ubuntu' ? 'main universe' : 'main';
  await writeFile(join(apt, 'status'), '');
  await writeFile(join(apt, 'sources.list'), `deb [signed-by=${keyring}] ${await mirror()} ${suite} ${components}\n`);
  await writeFile(join(apt, 'apt.conf'), await configuration(apt));
  const env = { ...process.env, APT_CONFIG: join(apt, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-qq', 'update'], { env });
  const plan = await run(
    'apt-get',
    ['-y', '-qq', '--print-uris', '--no-install-recommends', 'install', 'rabbitmq-server'],
    { env },
  );
  const names = plan
    .split('\n')
    .map((line) => line.split(' ')[1]?.split('_')[0] ?? '')
    .filter((name) => WANTED.test(name));
  const debs = join(work, 'debs');
  await mkdir(debs);
  await run('apt-get', ['-qq', 'download', ...new Set([...names, ALSO_WANTED])], { env, cwd: debs });
  return (await readdir(debs)).map((file) => join(debs, file));
}

/** The archive that this machine's own apt is set to use. Third-party sources are not Debian's or Ubuntu's archive. */
async function mirror(): Promise<string> {
  const listed = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const addresses = [...new Set(listed.split('\n').filter(Boolean))];
  const archive = addresses.find((address) => /\/(debian|ubuntu|ubuntu-ports)\/?$/.test(address)) ?? addresses[0];
  if (!archive) throw new ToolError('UNPACK_FAILED', 'apt has no package sources on this machine');
  return archive;
}

async function configuration(apt: string): Promise<string> {
  // How this machine reaches its mirrors (proxies, certificates) stays; everything else is ours.
  const system = await run('apt-config', ['dump']);
  const acquire = system
    .split('\n')
    .filter((line) => /^Acquire::(http|https|ftp)::|^Acquire::(Retries|ForceIPv4)/.test(line));
  const architecture = (await run('dpkg', ['--print-architecture'])).trim();
  return [
    ...acquire,
    `Dir "${apt}";`,
    `Dir::State "${apt}";`,
    `Dir::State::lists "${apt}/lists";`,
    `Dir::State::status "${apt}/status";`,
    `Dir::Cache "${apt}/cache";`,
    `Dir::Cache::archives "${apt}/cache/archives";`,
    `Dir::Etc::sourcelist "${apt}/sources.list";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    `Dir::Log "${apt}/log";`,
    `APT::Architecture "${architecture}";`,
    'APT::Install-Recommends "false";',
    // Without root apt cannot become its sandbox user.
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    'Acquire::Check-Valid-Until "false";',
    // A mirror that cannot be reached is an error that says so, not a package that cannot be found.
    'APT::Update::Error-Mode "any";',
    '',
  ].join('\n');
}
