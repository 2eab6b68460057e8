import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkTls, socketOptionsOf, tlsFrom } from './tls';

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

it.each([
  [{ ca: 'ca' }, ['amqps://h'], []],
  [{ ca: 'ca' }, ['amqp://h', 'amqps://h'], []],
  [undefined, ['amqp://h'], []],
  [{ ca: 'ca' }, ['amqp://h'], ['tls is given, but no rabbitUrl is amqps://']],
  [{ cert: 'cert' }, ['amqps://h'], ['tls.cert and tls.key belong together']],
  [{ key: 'key' }, ['amqps://h'], ['tls.cert and tls.key belong together']],
])('%j for %j has the problems %j', (tls, urls, expected) => {
  const problems: string[] = [];
  checkTls(tls, urls, problems);
  expect(problems).toEqual(expected);
});
