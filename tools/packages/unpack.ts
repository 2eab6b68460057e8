import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lastWill, run } from '../broker/child';
import { ToolError } from '../broker/project';

export interface Distribution {
  id: 'debian' | 'ubuntu';
  codename: string;
}

/** What a program needs of the distribution. */
export interface Wanted {
  /** The package that has the program. Of what it depends on, only the packages that match are fetched. */
  name: string;
  matching: RegExp;
  /** What no package depends on. */
  also?: readonly string[];
}

/** @throws ToolError `NO_APT`. */
export async function thisDistribution(): Promise<Distribution> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(release)?.[1] ?? '';
  const family = `${field('ID')} ${field('ID_LIKE')}`;
  const id = family.includes('ubuntu') ? 'ubuntu' : 'debian';
  if (!/debian|ubuntu/.test(family) || !existsSync('/usr/bin/apt-get')) {
    throw new ToolError('NO_APT', 'this is no Debian or Ubuntu with apt');
  }
  return { id, codename: field('UBUNTU_CODENAME') || field('VERSION_CODENAME') };
}

/**
 * Makes a folder once, also when several processes want it at the same time. It is made beside its place and then moved
 * there in one step: what is interrupted leaves nothing half made.
 * @param make gets a folder to work in, and resolves to the folder within it that is to be moved.
 */
export async function makeOnce(home: string, make: (work: string) => Promise<string>): Promise<void> {
  await mkdir(dirname(home), { recursive: true });
  const work = await mkdtemp(`${home}.making-`);
  // A moment later: the program that is just unpacking ends by itself.
  const will = lastWill('/bin/sh', '-c', 'sleep 5; rm -rf "$0"', work);
  try {
    const made = await make(work);
    // Another process may have been faster: then its result is as good.
    await rename(made, home).catch((error: unknown) => {
      if (!existsSync(home)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
    will.kill('SIGKILL');
  }
}

/**
 * Fetches packages of the distribution and unpacks them below `work`, without root. Nothing of the machine's own packages
 * is read or changed but the addresses of its mirrors. Resolves to the folder.
 * @throws ToolError `COMMAND_FAILED`, `UNPACK_FAILED`.
 */
export async function unpackPackages(
  wanted: Wanted,
  distribution: Distribution,
  suite: string,
  work: string,
): Promise<string> {
  const packages = await download(wanted, distribution, suite, work);
  const folder = join(work, 'unpacked');
  await mkdir(folder);
  for (const file of packages) await run('dpkg-deb', ['-x', file, folder]);
  return folder;
}

/** A private apt: own lists, own cache, no installed packages. It checks signatures as the system's own does. */
async function download(
  { name, matching, also = [] }: Wanted,
  distribution: Distribution,
  suite: string,
  work: string,
): Promise<string[]> {
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
  const plan = await run('apt-get', ['-y', '-qq', '--print-uris', '--no-install-recommends', 'install', name], { env });
  const names = plan
    .split('\n')
    .map((line) => line.split(' ')[1]?.split('_')[0] ?? '')
    .filter((each) => matching.test(each));
  const debs = join(work, 'debs');
  await mkdir(debs);
  await run('apt-get', ['-qq', 'download', ...new Set([...names, ...also])], { env, cwd: debs });
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
