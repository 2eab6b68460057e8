import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '../../../../test/support/certificates';
import { checkTls, socketOptionsOf, tlsFrom, type TlsOptions } from './tls';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mercury-tls-'));
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(folder, name), name);
});
afterAll(() => rmSync(folder, { recursive: true }));

it('TLS options are read from the files of the environment', () => {
  expect(tlsFrom({})).toBeUndefined();
  expect(tlsFrom({ RABBITMQ_CA_FILE: '' })).toBeUndefined();
  const tls = tlsFrom({
    RABBITMQ_CA_FILE: join(folder, 'ca'),
    RABBITMQ_CERT_FILE: join(folder, 'cert'),
    RABBITMQ_KEY_FILE: join(folder, 'key'),
    RABBITMQ_KEY_PASSPHRASE: 'hush',
    RABBITMQ_SERVER_NAME: 'rabbit.example',
  });
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => Buffer.from(name));
  expect(tls).toEqual({ ca, cert, key, passphrase: 'hush', serverName: 'rabbit.example' });
  expect(socketOptionsOf(tls ?? {})).toEqual({ ca, cert, key, passphrase: 'hush', servername: 'rabbit.example' });
});

it('every file that cannot be read is told, by its variable', () => {
  const read = () => tlsFrom({ RABBITMQ_CA_FILE: '/nowhere/ca', RABBITMQ_KEY_FILE: '/nowhere/key' });
  expect(read).toThrow(/RABBITMQ_CA_FILE cannot be read: ENOENT.*RABBITMQ_KEY_FILE cannot be read/);
});

describe('what cannot work is told at start:', () => {
  const authority = new Authority('Test authority');
  const ca = authority.certificate;
  const { cert, key } = authority.issue('client', 'hush');
  const passphrase = 'hush';

  it.each<[string, TlsOptions | undefined, string[], (RegExp | string)[]]>([
    ['nothing of a whole set', { ca, cert, key, passphrase, serverName: 'broker' }, ['amqps://h'], []],
    ['nothing of buffers', { ca: Buffer.from(ca), cert: Buffer.from(cert), key, passphrase }, ['amqps://h'], []],
    ['nothing of URLs of both kinds', { ca }, ['amqp://h', 'amqps://h'], []],
    ['nothing of no options', undefined, ['amqp://h'], []],
    ['options for no URL', { ca }, ['amqp://h'], ['tls is given, but no rabbitUrl is amqps://']],
    ['a certificate alone', { cert }, ['amqps://h'], ['tls.cert and tls.key belong together']],
    ['a key alone', { key }, ['amqps://h'], ['tls.cert and tls.key belong together']],
    [
      'a key of another certificate',
      { ...authority.issue('other'), cert },
      ['amqps://h'],
      [/cannot be used.*mismatch/],
    ],
    ['a wrong passphrase', { cert, key, passphrase: 'loud' }, ['amqps://h'], [/tls.passphrase cannot be used/]],
    ['a missing passphrase', { cert, key }, ['amqps://h'], [/tls.passphrase cannot be used/]],
    ['a certificate that is none', { cert: 'cert', key, passphrase }, ['amqps://h'], [/tls.cert.*cannot be used/]],
    ['an empty authority', { ca: '' }, ['amqps://h'], ['tls.ca holds no certificate in PEM']],
    ['an authority that is a key', { ca: key }, ['amqps://h'], ['tls.ca holds no certificate in PEM']],
    ['a torn authority', { ca: ca.slice(0, 100) }, ['amqps://h'], ['tls.ca holds no certificate in PEM']],
    ['all at once', { ca: 'ca', cert }, ['amqp://h'], [/no rabbitUrl/, /tls.ca/, /tls.cert/]],
  ])('%s', (_what, tls, urls, expected) => {
    const problems: string[] = [];
    checkTls(tls, urls, problems);
    expect(problems).toEqual(expected.map((text) => expect.stringMatching(text) as unknown));
    expect(problems.join()).not.toMatch(/hush|loud|BEGIN/);
  });
});
