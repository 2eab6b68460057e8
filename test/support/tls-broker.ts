import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { BrokerNode, removeFolder, type FolderSource } from '../../tools/broker/broker-node';
import { findBroker } from '../../tools/broker/find-broker';
import { plainPaths } from '../../tools/broker/plain-paths';
import { freePorts } from '../../tools/broker/ports';
import type { Identity } from './certificates';
import { rabbitUrl } from './rabbit';

/** A broker on loopback that speaks TLS, and only to who shows a certificate of the given authority. */
export interface TlsBroker {
  /** amqps:// */
  readonly url: string;
  /** The same broker, without TLS. */
  readonly plainUrl: string;
  close(): Promise<void>;
}

export async function startTlsBroker(ca: string, own: Identity): Promise<TlsBroker> {
  const source = await findBroker(() => undefined);
  return source.kind === 'folder' ? ofItsOwn(source, ca, own) : inFrontOf(rabbitUrl(), ca, own);
}

async function ofItsOwn(found: FolderSource, ca: string, own: Identity): Promise<TlsBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'mercury-tls-'));
  const plain = await plainPaths(join(folder, 'cache'));
  const source = {
    ...found,
    folder: plain(found.folder),
    erlangFolder: found.erlangFolder && plain(found.erlangFolder),
  };
  const [amqp = 0, management = 0, distribution = 0, epmd = 0, tls = 0] = await freePorts(5);
  const write = async (name: string, text: string) => {
    const path = join(folder, name);
    await writeFile(path, text);
    await chmod(path, 0o600);
    return JSON.stringify(path);
  };
  const options = [
    `{cacertfile, ${await write('ca.pem', ca)}}`,
    `{certfile, ${await write('broker.pem', own.cert)}}`,
    `{keyfile, ${await write('broker.key.pem', own.key)}}`,
    '{verify, verify_peer}',
    '{fail_if_no_peer_cert, true}',
  ];
  const listener = `{ssl_listeners, [{"127.0.0.1", ${tls}}]}`;
  await write('advanced.config', `[{rabbit, [${listener}, {ssl_options, [${options.join(', ')}]}]}].\n`);
  const node = new BrokerNode(source, folder, { amqp, management, distribution, epmd });
  const close = async () => {
    await node.close();
    await removeFolder(folder);
  };
  try {
    await node.start();
  } catch (error) {
    await close();
    throw error;
  }
  const url = (port: number) => `//guest:guest@127.0.0.1:${port}`;
  return { url: `amqps:${url(tls)}`, plainUrl: `amqp:${url(amqp)}`, close };
}

/** For a broker in a container, which has no port for TLS: that ends before it. */
async function inFrontOf(plainUrl: string, ca: string, own: Identity): Promise<TlsBroker> {
  const { hostname, port, username, password, pathname } = new URL(plainUrl);
  const server = createServer({ ...own, ca, requestCert: true, rejectUnauthorized: true }, (client) => {
    const broker = connect(Number(port) || 5672, hostname);
    client.on('error', () => broker.destroy()).on('close', () => broker.destroy());
    broker.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(broker).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return {
    url: `amqps://${username}:${password}@127.0.0.1:${address.port}${pathname}`,
    plainUrl,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
