import type { LookupAddress } from 'node:dns';
import { AddressGuard, isPublic, type Resolve } from './address-guard';

const REFUSED = expect.objectContaining({ code: 'WEBHOOK_REFUSED_ADDRESS' }) as unknown;

const address = (text: string): LookupAddress => ({ address: text, family: text.includes(':') ? 6 : 4 });

/** A DNS that knows one answer, whatever it is asked. */
const answering =
  (...addresses: string[]): Resolve =>
  (_hostname, callback) =>
    callback(null, addresses.map(address));

/** What a connection to the URL's host would be told: every address, or only the first. */
function lookUp(guard: AddressGuard, url: string, all: boolean): Promise<string | LookupAddress[]> {
  const target = new URL(url);
  return new Promise((resolve, reject) => {
    guard.lookupFor(target)(target.hostname, { all }, (error, found) => (error ? reject(error) : resolve(found)));
  });
}

describe('isPublic', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback, not the usual one', '127.255.255.254'],
    ['private, 10/8', '10.0.0.1'],
    ['private, first of 172.16/12', '172.16.0.0'],
    ['private, last of 172.16/12', '172.31.255.255'],
    ['private, 192.168/16', '192.168.255.255'],
    ['link-local, where clouds keep credentials', '169.254.169.254'],
    ['unspecified, which reaches this machine', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['carrier-grade NAT, first', '100.64.0.0'],
    ['carrier-grade NAT, last', '100.127.255.255'],
    ['benchmarking', '198.18.0.1'],
    ['protocol assignments', '192.0.0.8'],
    ['documentation 1', '192.0.2.1'],
    ['documentation 2', '198.51.100.1'],
    ['documentation 3', '203.0.113.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['IPv6 unspecified', '::'],
    ['IPv6 loopback', '::1'],
    ['IPv6 link-local', 'fe80::1'],
    ['IPv6 link-local, last of fe80::/10', 'febf:ffff::1'],
    ['IPv6 link-local with a zone', 'fe80::1%eth0'],
    ['IPv6 unique local, fc00::/8', 'fc00::1'],
    ['IPv6 unique local, fd00::/8', 'fdff::1'],
    ['IPv6 multicast', 'ff02::1'],
    ['IPv6 documentation', '2001:db8::1'],
    ['IPv6 documentation, the newer one', '3fff::1'],
    ['IPv6 discard', '100::1'],
    ['Teredo', '2001:0:7f00:1::'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped private, in hexadecimal', '::ffff:a00:1'],
    ['NAT64 of loopback', '64:ff9b::7f00:1'],
    ['NAT64 of cloud metadata', '64:ff9b::169.254.169.254'],
    ['NAT64 of loopback, at the prefix for local use', '64:ff9b:1:7f00:0:100:808:808'],
    ['IPv4-compatible loopback', '::7f00:1'],
    ['6to4 of loopback', '2002:7f00:1::'],
    ['6to4 of a private address', '2002:c0a8:101::1'],
    ['no address at all', 'example.com'],
    ['nothing', ''],
    ['a number', '2130706433'],
  ])('refuses %s (%s)', (_what, text) => {
    expect(isPublic(text)).toBe(false);
  });

  it.each([
    ['8.8.8.8'],
    ['172.15.255.255'],
    ['172.32.0.0'],
    ['100.63.255.255'],
    ['100.128.0.0'],
    ['192.167.255.255'],
    ['2606:4700::1111'],
    ['::ffff:8.8.8.8'],
    ['64:ff9b::808:808'],
    ['2002:808:808::1'],
  ])('lets through %s', (text) => {
    expect(isPublic(text)).toBe(true);
  });
});

describe('checkLiteral', () => {
  const guard = new AddressGuard([]);

  it.each([
    ['decimal', 'http://2130706433/'],
    ['hexadecimal', 'http://0x7f000001/'],
    ['octal', 'http://017700000001/'],
    ['mixed', 'http://0x7f.0.0.01/'],
    ['shortened', 'http://127.1/'],
    ['zero', 'http://0/'],
    ['with a trailing dot', 'http://127.0.0.1./'],
    ['in full-width digits', 'http://１２７.0.0.1/'],
    ['with percent signs', 'http://%31%32%37.0.0.1/'],
    ['IPv6', 'http://[::1]:8080/'],
    ['IPv6 written out', 'http://[0:0:0:0:0:0:0:1]/'],
    ['IPv4 inside IPv6', 'http://[::ffff:127.0.0.1]/'],
    ['IPv4 inside IPv6, as it once was', 'http://[::127.0.0.1]/'],
  ])('refuses this machine written otherwise: %s (%s)', (_what, url) => {
    expect(() => guard.checkLiteral(new URL(url))).toThrow(REFUSED as Error);
  });

  it.each([['http://8.8.8.8/'], ['https://[2606:4700::1111]/'], ['http://example.com/'], ['http://localhost/']])(
    'leaves %s to the connection: it is public or a name',
    (url) => {
      expect(() => guard.checkLiteral(new URL(url))).not.toThrow();
    },
  );

  it('names the host and the variable that would allow it', () => {
    expect(() => guard.checkLiteral(new URL('http://10.1.2.3/hook'))).toThrow(/10\.1\.2\.3.*WEBHOOK_ALLOWED_HOSTS/);
  });
});

describe('allowed hosts', () => {
  it.each([
    ['a host allows every port', 'localhost', 'http://localhost:8080/', true],
    ['a host with a port allows this port', 'localhost:8080', 'http://localhost:8080/', true],
    ['a host with a port allows no other port', 'localhost:8080', 'http://localhost:8081/', false],
    ['the port of http is 80', 'localhost:80', 'http://localhost/', true],
    ['the port of https is 443', 'localhost:443', 'https://localhost/', true],
    ['the port of https is not 80', 'localhost:80', 'https://localhost/', false],
    ['case does not matter in the list', 'LocalHost', 'http://localhost/', true],
    ['case does not matter in the URL', 'localhost', 'http://LOCALHOST/', true],
    ['IPv6 stands in brackets', '[::1]:8080', 'http://[::1]:8080/', true],
    ['IPv6 without a port', '[::1]', 'http://[::1]:8080/', true],
    ['a part of a name is another name', 'localhost', 'http://localhost.example.com/', false],
    ['a subdomain is another name', 'example.com', 'http://internal.example.com/', false],
    ['user information is no host', 'localhost', 'http://localhost@example.com/', false],
    ['a trailing dot makes another name', 'localhost', 'http://localhost./', false],
  ])('%s: %s and %s', (_what, allowed, url, expected) => {
    expect(new AddressGuard([allowed]).isAllowed(new URL(url))).toBe(expected);
  });

  it('may be private', async () => {
    const guard = new AddressGuard(['127.0.0.1', 'inside.example'], answering('10.0.0.1'));
    expect(() => guard.checkLiteral(new URL('http://127.0.0.1/'))).not.toThrow();
    await expect(lookUp(guard, 'http://inside.example/', false)).resolves.toBe('10.0.0.1');
  });
});

describe('lookupFor', () => {
  it.each([
    ['a private address', ['192.168.0.1']],
    ['one private address among public ones', ['8.8.8.8', '10.0.0.1', '1.1.1.1']],
    ['the IPv6 loopback behind a public IPv4 address', ['8.8.8.8', '::1']],
  ])('refuses a name that resolves to %s', async (_what, addresses) => {
    const guard = new AddressGuard([], answering(...addresses));
    await expect(lookUp(guard, 'http://hooks.example/', true)).rejects.toEqual(REFUSED);
    await expect(lookUp(guard, 'http://hooks.example/', false)).rejects.toEqual(REFUSED);
  });

  it('refuses localhost as this machine resolves it', async () => {
    await expect(lookUp(new AddressGuard([]), 'http://localhost/', true)).rejects.toEqual(REFUSED);
  });

  it('refuses localhost with a trailing dot', async () => {
    const guard = new AddressGuard([], answering('127.0.0.1'));
    await expect(lookUp(guard, 'http://localhost./', true)).rejects.toEqual(REFUSED);
  });

  it('gives all public addresses, or the first, as the connection asks', async () => {
    const guard = new AddressGuard([], answering('8.8.8.8', '2606:4700::1111'));
    const both = [
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ];
    await expect(lookUp(guard, 'http://hooks.example/', true)).resolves.toEqual(both);
    await expect(lookUp(guard, 'http://hooks.example/', false)).resolves.toBe('8.8.8.8');
  });

  it('fails as the resolver fails, and for a name without addresses', async () => {
    const broken = new AddressGuard([], (_hostname, callback) => callback(new Error('ENOTFOUND'), []));
    await expect(lookUp(broken, 'http://hooks.example/', true)).rejects.toThrow('ENOTFOUND');
    const empty = new AddressGuard([], answering());
    await expect(lookUp(empty, 'http://hooks.example/', true)).rejects.toThrow('hooks.example has no address');
  });
});
