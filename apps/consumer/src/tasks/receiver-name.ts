import { createHash } from 'node:crypto';

/** Shorter parts of a path are words like "v1" or "hook", which a receiver may well say by itself. */
const SHORTEST_PART = 8;
const SHORTEST_VALUE = 4;
const LONGEST_SAID = 512;
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

/** What was sent that nobody else is to read, the longest first: addresses, on the way of a redirect also those before, and the signature. */
export function secretsOf(urls: readonly URL[], showPath: boolean, signature = ''): string[] {
  const parts = urls.flatMap(({ pathname, search, searchParams }) => {
    const ofPath = showPath ? [] : [pathname, ...pathname.split('/')];
    const asWritten = search.slice(1).split('&');
    // A name without a value is itself what the query says.
    const ofQuery = [...asWritten.map((pair) => pair.replace(/^[^=]*=(?=.)/, '')), ...searchParams.values()];
    return [...longEnough([search, ...ofQuery], SHORTEST_VALUE), ...longEnough(ofPath, SHORTEST_PART)];
  });
  // Behind the version: "v1,…".
  const all = [...parts, ...longEnough(signature.split(','), SHORTEST_PART)];
  return [...new Set(all)].sort((a, b) => b.length - a.length);
}

/** Of an answer, so much may be needed to show 512 characters of it without what was sent. */
export function bytesToRead([longest = '']: readonly string[]): number {
  return LONGEST_SAID + longest.length;
}

/**
 * What a receiver says, at most 512 characters, without what it was asked: error pages repeat the address, and some the query alone.
 * @param secrets the longest first.
 * @param isWhole false when the answer goes on: its end may be the beginning of a secret, and is left out.
 */
export function maskedAnswer(text: string, secrets: readonly string[], isWhole = true): string {
  const [longest = ''] = secrets;
  const pattern = new RegExp(secrets.map(literally).join('|'), 'gi');
  const masked = longest === '' ? text : text.replace(pattern, MASK);
  return masked.slice(0, isWhole ? LONGEST_SAID : Math.min(LONGEST_SAID, Math.max(masked.length - longest.length, 0)));
}

/** As they stand in the address, and as they are meant. */
function longEnough(parts: readonly string[], shortest: number): string[] {
  return parts.flatMap((part) => [part, decoded(part)]).filter(({ length }) => length >= shortest);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
