import { MercuryError } from './errors';

/**
 * Checks that packages are there that only a part of Mercury needs: optional peers, which a package manager does not install by itself.
 * @param what who needs them, such as the name of an entry point.
 * @throws MercuryError `PEER_MISSING`, with the command that installs those that are missing.
 */
export function needPeers(what: string, ...names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const message = `${what} needs what is not installed: npm install ${missing.join(' ')}`;
  throw new MercuryError('PEER_MISSING', message);
}

function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND';
  }
}
