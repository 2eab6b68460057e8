import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { run } from '../broker/child';
import { ToolError, cacheFolder } from '../broker/project';
import { collectLibraries, wrapPrograms } from '../packages/relocate';
import { makeOnce, thisDistribution, unpackPackages, type Distribution } from '../packages/unpack';

/** Without LLVM, which is larger than all the rest: queries are not compiled. */
const PACKAGES = { name: 'postgresql', matching: /^(postgresql-(client-)?\d+|zlib1g|lib(?!llvm|z3|perl|json).*)$/ };
/** Debian and others keep the programs of the server apart from those of its clients. */
const VERSION_FOLDERS = ['/usr/lib/postgresql', '/usr/local/lib/postgresql'];
const PROGRAMS = ['initdb', 'postgres'];

/** Where `initdb` and `postgres` are. */
export interface PostgresPrograms {
  bin: string;
  /** The folder that can be copied elsewhere; undefined where they are installed. */
  home: string | undefined;
}

/**
 * Finds a PostgreSQL to run: one installed here, else one unpacked from the distribution's packages.
 * @throws ToolError `NO_POSTGRES`.
 */
export async function findPostgres(log: (line: string) => void): Promise<PostgresPrograms> {
  const versions = await Promise.all(VERSION_FOLDERS.map(binsBelow));
  const onPath = (process.env['PATH'] ?? '').split(delimiter);
  const installed = [...onPath, ...versions.flat()].find((bin) =>
    PROGRAMS.every((program) => existsSync(join(bin, program))),
  );
  if (installed !== undefined) return { bin: installed, home: undefined };
  try {
    const home = await unpackPostgres(log);
    const [bin = ''] = await binsBelow(join(home, 'lib/postgresql'));
    return { bin, home };
  } catch (cause) {
    const message =
      'No PostgreSQL server on this machine, and none could be unpacked from packages of Debian or Ubuntu. Install one, ' +
      `for example: apt-get install postgresql, or: brew install postgresql. (${String(cause)})`;
    throw new ToolError('NO_POSTGRES', message, { cause });
  }
}

/** The newest version first. */
async function binsBelow(folder: string): Promise<string[]> {
  const versions = await readdir(folder).catch(() => []);
  return versions.sort((one, other) => Number(other) - Number(one)).map((version) => join(folder, version, 'bin'));
}

async function unpackPostgres(log: (line: string) => void): Promise<string> {
  const distribution = await thisDistribution();
  const home = join(cacheFolder, 'postgres', distribution.codename);
  if (existsSync(join(home, 'VERSION'))) return home;
  log('No PostgreSQL on this machine: fetching its packages into .cache/postgres (once, some 40 MB) ...');
  await makeOnce(home, (work) => make(distribution, work));
  return home;
}

/** Where a program finds its data is told by where it is: the folders stay beside each other as the packages have them. */
async function make(distribution: Distribution, work: string): Promise<string> {
  const unpacked = await unpackPackages(PACKAGES, distribution, distribution.codename, work);
  const made = join(work, 'home');
  await mkdir(join(made, 'libexec'), { recursive: true });
  await mkdir(join(made, 'share'));
  for (const folder of ['lib/postgresql', 'share/postgresql']) {
    await mkdir(join(made, folder, '..'), { recursive: true });
    await rename(join(unpacked, 'usr', folder), join(made, folder));
  }
  const loader = await collectLibraries(unpacked, join(made, 'lib'));
  const [bin] = await binsBelow(join(made, 'lib/postgresql'));
  if (bin === undefined) throw new ToolError('UNPACK_FAILED', 'the packages hold no PostgreSQL');
  await leaveOut(bin, (name) => !PROGRAMS.includes(name));
  await leaveOut(join(bin, '../lib'), (name) => name === 'bitcode');
  // Programs ask for the name with one number.
  await leaveOut(join(made, 'lib'), (name) => /\.so\.\d+\.\d/.test(name));
  await wrapPrograms(bin, made, loader);
  // That it runs at all, before it is put in its place.
  await writeFile(join(made, 'VERSION'), await run(join(bin, 'postgres'), ['--version']));
  return made;
}

async function leaveOut(folder: string, isNotNeeded: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(folder)).filter(isNotNeeded)) await rm(join(folder, name), { recursive: true });
}
