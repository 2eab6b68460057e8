import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The checkout's folder, found from the sources as well as from `dist`. */
export const projectRoot: string = (() => {
  let folder = __dirname;
  while (!existsSync(join(folder, 'nest-cli.json'))) folder = dirname(folder);
  return folder;
})();

export const cacheFolder = join(projectRoot, '.cache');

/** A command of this project failed for a reason that its user can act upon. */
export class ToolError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'ToolError';
  }
}
