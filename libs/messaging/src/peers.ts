import { MercuryError } from './errors';

/**
 * Checks that packages are there that only a part of Mercury needs: optional peers, which a package manager does not install by itself.
 * @param what who needs them, such as the name of an entry point.
 * @throws MercuryError `PEER_MISSING`, with the command that installs those that are missing.
 */
export function needPeers(what: string, ...names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const message = `${what} needs what is not installed: npm install ${missing.map(versioned).join(' ')}`;
  throw new MercuryError('PEER_MISSING', message);
}

/** Nest's own packages go together in one major version; npm alone would take the latest. */
function versioned(name: string): string {
  if (!name.startsWith('@nestjs/') || !isInstalled('@nestjs/common/package.json')) return name;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- only where something is missing.
  const { version } = require('@nestjs/common/package.json') as { version: string };
  return `${name}@${version.split('.')[0]}`;
}

function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND';
  }
}
