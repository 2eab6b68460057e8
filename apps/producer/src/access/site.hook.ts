import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { ProblemException, problemOf, cut } from '../problems/problem';
import { isApi } from './api-key.hook';

export interface SiteOptions {
  /** Names by which it may be asked besides those of loopback, in lower case, without port. */
  allowedHosts: readonly string[];
  /** Whether other machines may ask: then also by an address, or by a name without a dot, which no site of the web has. */
  isOpen: boolean;
}

/**
 * Where no keys are asked for, whoever reaches the address may ask; but not pages of other sites in the browser of somebody
 * who does. They are known by `Origin` and `Sec-Fetch-Site`; those that make their own name lead here, by `Host`.
 */
export function refuseOtherSites(options: SiteOptions) {
  return (request: FastifyRequest): void => {
    const { host, origin, 'sec-fetch-site': site } = request.headers;
    if (host !== undefined && !isAllowed(hostnameOf(host), options)) {
      const detail = `Nobody may ask for "${cut(host)}" here without an API key: use localhost, or name the host in ALLOWED_HOSTS.`;
      throw new ProblemException(problemOf(403, 'HOST_REFUSED', detail));
    }
    const isSame = origin === undefined || hostOf(origin) === host?.toLowerCase();
    const isOther = site === 'cross-site' || site === 'same-site';
    if (isSame && (!isOther || isLink(request))) return;
    const detail = 'Pages of other sites may not ask here without an API key.';
    throw new ProblemException(problemOf(403, 'ORIGIN_REFUSED', detail));
  };
}

/** Somebody follows a link to the documentation: the page that has the link sees nothing of it. */
function isLink(request: FastifyRequest): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': target } = request.headers;
  return request.method === 'GET' && mode === 'navigate' && target === 'document' && !isApi(request);
}

function isAllowed(name: string | undefined, { allowedHosts, isOpen }: SiteOptions): boolean {
  if (name === undefined) return false;
  const kind = isIP(name);
  if (name === 'localhost' || allowedHosts.includes(name)) return true;
  if (name === '::1' || (kind === 4 && name.startsWith('127.'))) return true;
  return isOpen && (kind !== 0 || !name.includes('.'));
}

/** Without port and brackets; undefined for what is no host. Not by URL, which takes 2130706433 for an address. */
function hostnameOf(host: string): string | undefined {
  const [, v6, name] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(host) ?? [];
  // A dot at the end means the same name.
  return (v6 ?? name)?.toLowerCase().replace(/\.$/, '');
}

/** With port, as it stands in `Host`. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
