import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker, WorkerClient, type TlsOptions } from '@mercury/messaging';
import { BrokerNode, removeFolder } from '../../tools/broker/broker-node';
import { findBroker } from '../../tools/broker/find-broker';
import { freePorts } from '../../tools/broker/ports';
import { until } from '../support/until';

const certificates = join(__dirname, '../support/certificates');
const pem = (name: string) => readFile(join(certificates, `${name}.pem`));

let folder: string;
let node: BrokerNode | undefined;
let rabbitUrl: string;
let trusted: TlsOptions;

/** A broker that speaks TLS only to who has a certificate of the test's CA. */
beforeAll(async () => {
  trusted = { ca: await pem('ca'), cert: await pem('client'), key: await pem('client.key'), serverName: 'broker.test' };
  const source = await findBroker(() => undefined);
  if (source.kind !== 'folder') throw new Error('This test needs a RabbitMQ outside of containers.');
  folder = await mkdtemp(join(tmpdir(), 'mercury-tls-'));
  const [amqp = 0, management = 0, distribution = 0, epmd = 0, tls = 0] = await freePorts(5);
  const file = (name: string) => `"${join(certificates, `${name}.pem`)}"`;
  await writeFile(
    join(folder, 'advanced.config'),
    `[{rabbit, [{ssl_listeners, [{"127.0.0.1", ${tls}}]}, {ssl_options, [{cacertfile, ${file('ca')}}, {certfile, ${file('broker')}}, ` +
      `{keyfile, ${file('broker.key')}}, {verify, verify_peer}, {fail_if_no_peer_cert, true}]}]}].\n`,
  );
  node = new BrokerNode(source, folder, { amqp, management, distribution, epmd });
  await node.start();
  rabbitUrl = `amqps://guest:guest@127.0.0.1:${tls}`;
}, 90_000);

afterAll(async () => {
  await node?.close();
  if (folder) await removeFolder(folder);
});

class Echo extends Worker {
  readonly seen: string[] = [];
  handler({ id }: { id: string }): void {
    this.seen.push(id);
  }
}

describe('a broker with TLS', () => {
  it('is used by who trusts its certificate, and shows one of its own', async () => {
    const options = { rabbitUrl, queueName: 'tls', tls: trusted };
    const worker = new Echo(options);
    const client = new WorkerClient(options);
    await worker.start();
    const id = await client.put({}, { type: 'echo' });
    await until('the task is executed', () => worker.seen.includes(id));
    await Promise.all([worker.stop(), client.stop()]);
  });

  it.each<[string, (keyof TlsOptions)[], TlsOptions, RegExp]>([
    ['whose certificate nobody here trusts', ['ca'], {}, /certificate.*RABBITMQ_CA_FILE/],
    ['whose certificate is for another name', [], { serverName: 'other.test' }, /other\.test.*RABBITMQ_SERVER_NAME/],
    ['that wants a certificate', ['cert', 'key'], {}, /certificate.*RABBITMQ_CERT_FILE/],
  ])('%s says so at start, and not that the password is wrong', async (_what, missing, others, message) => {
    const tls = { ...trusted, ...others };
    for (const name of missing) delete tls[name];
    const worker = new Echo({ rabbitUrl, queueName: 'tls', tls });
    worker.events.on('problem', () => undefined);
    const start = worker.start().catch((error: unknown) => error);
    await until('the worker knows what is wrong', () => worker.problem?.code === 'BROKER_TLS_FAILED');
    expect(await start).toMatchObject({
      code: 'BROKER_TLS_FAILED',
      message: expect.stringMatching(message) as unknown,
    });
    await worker.stop();
  });
});
