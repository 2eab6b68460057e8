import type { Options } from 'amqplib';
import { ConfigError } from '../errors';
import { LEAST_FRAME_BYTES } from './frame-max';

/** The longest heartbeat of the protocol, in seconds: a 16-bit number. */
const LONGEST_HEARTBEAT_S = 65_535;
const MOST_CHANNELS = 65_535;
/** Queues are declared side by side, each on a channel of its own; worker, client, scheduler and readers of dead letters have theirs. */
export const LEAST_CHANNELS = 64;
const LARGEST_FRAME_BYTES = 2 ** 31 - 1;

/** Where each number of the query goes, and what it may be. Anything else amqplib would ignore, or obey by half. */
const NUMBERS = {
  heartbeat: { least: 1, most: LONGEST_HEARTBEAT_S },
  frameMax: { least: LEAST_FRAME_BYTES, most: LARGEST_FRAME_BYTES },
  channelMax: { least: LEAST_CHANNELS, most: MOST_CHANNELS },
} as const;

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function addressesOf(urls: readonly string[]): Options.Connect[] {
  const problems: string[] = [];
  const addresses = urls.map((url) => readBrokerUrl(url, problems));
  if (problems.length > 0) throw new ConfigError('Broker options', [...new Set(problems)]);
  return addresses;
}

/**
 * Reads a broker's URL. amqplib would read it itself, but takes passwords beyond ASCII for other ones, and what it does not know for nothing.
 * @param problems gets what is wrong with it; never the URL itself, which holds a password.
 */
export function readBrokerUrl(url: string, problems: string[]): Options.Connect {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !['amqp:', 'amqps:'].includes(parsed.protocol) || parsed.hostname === '') {
    problems.push('rabbitUrl must be amqp:// or amqps:// URLs');
    return {};
  }
  const { protocol, hostname, port, pathname, searchParams } = parsed;
  const address: Options.Connect = {
    protocol: protocol.slice(0, -1),
    hostname: hostname.replace(/^\[|\]$/g, ''),
    // amqplib decodes it.
    vhost: pathname.slice(1),
  };
  if (port !== '') address.port = Number(port);
  if (parsed.username !== '' || parsed.password !== '') {
    address.username = decoded(parsed.username, problems);
    address.password = decoded(parsed.password, problems);
  }
  if (parsed.hash !== '' || parsed.search.includes('@')) {
    // Of a password that is not encoded, the rest stands here: nothing of it is named.
    problems.push('rabbitUrl has a "#", or an "@" after a "?": in user and password they must be percent-encoded');
    return address;
  }
  for (const name of new Set(searchParams.keys())) readParameter(name, searchParams.getAll(name), address, problems);
  return address;
}

function readParameter(name: string, values: string[], address: Options.Connect, problems: string[]): void {
  const [value = ''] = values;
  if (values.length > 1) problems.push(`rabbitUrl has ${name} more than once`);
  if (name === 'locale') {
    address.locale = value;
  } else if (isNumber(name)) {
    const { least, most } = NUMBERS[name];
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    // 0 is what the broker allows.
    if (number !== 0 && !(number >= least && number <= most)) {
      problems.push(`${name} in rabbitUrl must be 0, or a whole number from ${least} to ${most}`);
    }
    address[name] = number;
  } else {
    const known = [...Object.keys(NUMBERS), 'locale'].join(', ');
    problems.push(
      `rabbitUrl has a parameter that is not supported: "${name.slice(0, 50)}" (known are ${known}; certificates are options of their own)`,
    );
  }
}

function isNumber(name: string): name is keyof typeof NUMBERS {
  return Object.hasOwn(NUMBERS, name);
}

function decoded(text: string, problems: string[]): string {
  try {
    return decodeURIComponent(text);
  } catch {
    problems.push('user and password in rabbitUrl must be percent-encoded UTF-8');
    return '';
  }
}
