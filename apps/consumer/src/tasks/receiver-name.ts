import { createHash } from 'node:crypto';

/** Shorter parts are words like "v1" or "hook", which a receiver may well say by itself. */
const SHORTEST_SECRET = 8;
const MASK = '***';

/**
 * How a webhook's receiver is named in errors, which are logged, sent as events and kept in dead letters. The path of a
 * chat service's webhook is its password, so it is a short hash there: the same address has the same name.
 * @param showPath names the path, too; never the query.
 */
export function receiverName({ origin, pathname, search }: URL, showPath: boolean): string {
  if (showPath) return `${origin}${pathname}`;
  if (pathname === '/' && search === '') return origin;
  const hash = createHash('sha256').update(`${pathname}${search}`).digest('hex').slice(0, 8);
  return `${origin} (path ${hash})`;
}

/** What a receiver says, without what it was asked: error pages repeat the address, and some the query alone. */
export function maskedAnswer(text: string, url: URL, showPath: boolean): string {
  const { pathname, search, searchParams } = url;
  const ofPath = showPath ? [] : [pathname, ...pathname.split('/')];
  const secrets = [search, ...searchParams.values(), ...ofPath].flatMap((part) => [part, decoded(part)]);
  const longestFirst = secrets.filter(({ length }) => length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
  return longestFirst.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
