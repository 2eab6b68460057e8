import { refuse } from '../checks';
import { readBrokerUrl } from './broker-url';
import type { Connections } from './connection';
import { isOfAnotherCopy } from './copy';
import type { MakeLink } from './link';
import { checkTls, type TlsOptions } from './tls';

export const TOPOLOGY_MODES = ['declare', 'check', 'none'] as const;

/** Who sees to exchanges, queues and bindings. */
export type TopologyMode = (typeof TOPOLOGY_MODES)[number];

/** Where the broker is: a URL (or several, for a cluster), or connections that somebody else owns. */
export interface BrokerOptions {
  rabbitUrl?: string | readonly string[];
  /** For amqps:// URLs. Default: what Node.js trusts, and no certificate of one's own. */
  tls?: TlsOptions;
  connections?: Connections;
  /** Who connects, and again when the connection is lost. Default: Mercury itself. For connections of another library. */
  link?: MakeLink;
  /**
   * `declare`: what is needed is declared, at start and whenever it is gone. `check`: an operator declares it (`mercury topology apply`); at start it is
   * looked at, which needs no configure permission, and what is missing is an error that names it. `none`: it is not even looked at. Default `declare`.
   */
  topology?: TopologyMode;
}

export interface ResolvedBroker {
  readonly topology: TopologyMode;
  readonly urls: readonly string[];
  readonly tls: TlsOptions | undefined;
  readonly link: MakeLink | undefined;
  readonly connections: Connections | undefined;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveBroker(options: BrokerOptions): ResolvedBroker {
  const problems: string[] = [];
  const resolved = checkBroker(options, problems);
  refuse('Broker options', problems);
  return resolved;
}

const TWO_COPIES =
  'connections were made by another copy of @mercury/messaging: `npm ls @mercury/messaging` shows where it is, and one version for all makes it one';

/** What is wrong is added to `problems`. */
export function checkBroker(options: BrokerOptions, problems: string[]): ResolvedBroker {
  const { connections, topology = 'declare' } = options;
  if (!TOPOLOGY_MODES.includes(topology)) problems.push(`topology must be one of ${TOPOLOGY_MODES.join(', ')}`);
  if (connections && isOfAnotherCopy(connections)) problems.push(TWO_COPIES);
  if (connections) return { urls: [], tls: undefined, link: undefined, connections, topology };
  const given: readonly unknown[] = Array.isArray(options.rabbitUrl) ? options.rabbitUrl : [options.rabbitUrl];
  const urls = given.flatMap((url) => (typeof url === 'string' ? url.split(',') : [])).map((url) => url.trim());
  if (urls.length === 0) problems.push('rabbitUrl is missing: give a URL such as amqp://user:password@host:5672');
  const ofUrls: string[] = [];
  for (const url of urls) readBrokerUrl(url, ofUrls);
  problems.push(...new Set(ofUrls));
  checkTls(options.tls, ofUrls.length === 0 ? urls : [], problems);
  return { urls, tls: options.tls, link: options.link, connections: undefined, topology };
}
