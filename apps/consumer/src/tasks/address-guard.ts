import { lookup as lookupInDns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { DiscardTask } from '@mercury/messaging';

export type Resolve = (hostname: string, callback: (error: Error | null, addresses: LookupAddress[]) => void) => void;

const resolveInDns: Resolve = (hostname, callback) => lookupInDns(hostname, { all: true, verbatim: true }, callback);

/**
 * Keeps webhooks away from addresses that only we can reach: private, loopback, link-local (cloud metadata) and all
 * others that are not public. Asked with the address that is really dialled, so a name that changes its mind between
 * the check and the connection gains nothing.
 */
export class AddressGuard {
  private readonly allowed: ReadonlySet<string>;

  /** @param allowedHosts `host` or `host:port`, may be reached whatever their address. */
  constructor(
    allowedHosts: readonly string[],
    private readonly resolve: Resolve = resolveInDns,
  ) {
    this.allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  }

  isAllowed(url: URL): boolean {
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    return this.allowed.has(url.hostname) || this.allowed.has(`${url.hostname}:${port}`);
  }

  /** @throws DiscardTask `WEBHOOK_REFUSED_ADDRESS` for a literal address that is not public: no name is looked up for it. */
  checkLiteral(url: URL): void {
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0 && !this.isAllowed(url) && !isPublic(literal)) throw refused(url.hostname);
  }

  /** Looks a name up for a connection and fails unless every address of it is public. */
  lookupFor(url: URL): LookupFunction {
    return (hostname, options, callback) => {
      this.resolve(hostname, (error, addresses) => {
        if (error) return callback(error, '', 0);
        const first = addresses[0];
        if (!first) return callback(new Error(`${hostname} has no address`), '', 0);
        if (!this.isAllowed(url) && !addresses.every(({ address }) => isPublic(address))) {
          return callback(refused(hostname), '', 0);
        }
        if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
  }
}

/** Public by their range, and yet the machine's own: the host endpoint of Azure. */
const HOST_ENDPOINTS: ReadonlySet<string> = new Set(['168.63.129.16']);

/** IPv6 addresses that the internet routes (IANA, Global Unicast): all others are not public, whatever they are for. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Only `unicast` is public; an address that leads to an IPv4 address is what that one is. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === 'unicast' && !HOST_ENDPOINTS.has(parsed.toString());
  const embedded = embeddedIpv4(parsed);
  if (embedded) return isPublic(embedded);
  return parsed.match(GLOBAL_UNICAST) && parsed.range() === 'unicast';
}

/** NAT64 (64:ff9b::/96) and 6to4 (2002::/16) lead to the IPv4 address that they contain. */
function embeddedIpv4(address: ipaddr.IPv6): string | undefined {
  const bytes = address.toByteArray();
  if (address.match([ipaddr.IPv6.parse('64:ff9b::'), 96])) return bytes.slice(12, 16).join('.');
  if (address.range() === '6to4') return bytes.slice(2, 6).join('.');
  return undefined;
}

function refused(host: string): DiscardTask {
  const message = `The webhook's address is not public: ${host}. To allow it, name it in WEBHOOK_ALLOWED_HOSTS.`;
  return new DiscardTask(message, { code: 'WEBHOOK_REFUSED_ADDRESS' });
}
