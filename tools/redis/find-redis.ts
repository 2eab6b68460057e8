import { existsSync } from 'node:fs';
import { copyFile, mkdir, realpath, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { run } from '../broker/child';
import { ToolError, cacheFolder } from '../broker/project';
import { collectLibraries, wrapPrograms } from '../packages/relocate';
import { makeOnce, thisDistribution, unpackPackages, type Distribution } from '../packages/unpack';

const PACKAGES = { name: 'redis-server', matching: /^(redis-server|redis-tools|zlib1g|lib(?!perl|python|pam).*)$/ };

/**
 * Finds a `redis-server` to run: one installed here, else one unpacked from the distribution's packages.
 * @throws ToolError `NO_REDIS`.
 */
export async function findRedis(log: (line: string) => void): Promise<string> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'redis-server'));
  const installed = onPath.find((program) => existsSync(program));
  if (installed) return installed;
  try {
    return await unpackRedis(log);
  } catch (cause) {
    const message =
      'No redis-server on this machine, and none could be unpacked from packages of Debian or Ubuntu. Install one, ' +
      `for example: apt-get install redis-server, or: brew install redis. (${String(cause)})`;
    throw new ToolError('NO_REDIS', message, { cause });
  }
}

async function unpackRedis(log: (line: string) => void): Promise<string> {
  const distribution = await thisDistribution();
  const home = join(cacheFolder, 'redis', distribution.codename);
  const program = join(home, 'bin/redis-server');
  if (existsSync(program)) return program;
  log('No Redis on this machine: fetching its packages into .cache/redis (once, some 10 MB) ...');
  await makeOnce(home, (work) => make(distribution, work));
  return program;
}

async function make(distribution: Distribution, work: string): Promise<string> {
  const unpacked = await unpackPackages(PACKAGES, distribution, distribution.codename, work);
  const made = join(work, 'home');
  for (const folder of ['bin', 'lib', 'libexec']) await mkdir(join(made, folder), { recursive: true });
  // In the packages it is a link to one program for several purposes, which looks at the name that it is called by.
  await copyFile(await realpath(join(unpacked, 'usr/bin/redis-server')), join(made, 'bin/redis-server'));
  const loader = await collectLibraries(unpacked, join(made, 'lib'));
  await wrapPrograms(join(made, 'bin'), made, loader);
  // That it runs at all, before it is put in its place.
  await writeFile(join(made, 'VERSION'), await run(join(made, 'bin/redis-server'), ['--version']));
  return made;
}
