import { rm, symlink } from 'node:fs/promises';
import { cacheFolder } from './project';

/**
 * RabbitMQ's scripts quote nothing: a cache folder with spaces and the like in its path is reached through a link at
 * `linkPath`, which the caller removes in the end. Resolves to what makes such a path plain.
 */
export async function plainPaths(linkPath: string): Promise<(path: string) => string> {
  if (/^[\w./+@-]+$/.test(cacheFolder)) return (path) => path;
  await rm(linkPath, { force: true });
  await symlink(cacheFolder, linkPath);
  return (path) => path.replace(cacheFolder, linkPath);
}
