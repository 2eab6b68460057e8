import { refuse } from '../checks';
import { readBrokerUrl } from './broker-url';
import type { Connections } from './connection';
import { isOfAnotherCopy } from './copy';
import type { MakeLink } from './link';
import { checkTls, type TlsOptions } from './tls';

/** Where the broker is: a URL (or several, for a cluster), or connections that somebody else owns. */
export interface BrokerOptions {
  rabbitUrl?: string | readonly string[];
  /** For amqps:// URLs. Default: what Node.js trusts, and no certificate of one's own. */
  tls?: TlsOptions;
  connections?: Connections;
  /** Who connects, and again when the connection is lost. Default: Mercury itself. For connections of another library. */
  link?: MakeLink;
}

export interface ResolvedBroker {
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
  const { connections } = options;
  if (connections && isOfAnotherCopy(connections)) problems.push(TWO_COPIES);
  if (connections) return { urls: [], tls: undefined, link: undefined, connections };
  const given: readonly unknown[] = Array.isArray(options.rabbitUrl) ? options.rabbitUrl : [options.rabbitUrl];
  const urls = given.flatMap((url) => (typeof url === 'string' ? url.split(',') : [])).map((url) => url.trim());
  if (urls.length === 0) problems.push('rabbitUrl is missing: give a URL such as amqp://user:password@host:5672');
  const ofUrls: string[] = [];
  for (const url of urls) readBrokerUrl(url, ofUrls);
  problems.push(...new Set(ofUrls));
  checkTls(options.tls, ofUrls.length === 0 ? urls : [], problems);
  return { urls, tls: options.tls, link: options.link, connections: undefined };
}
