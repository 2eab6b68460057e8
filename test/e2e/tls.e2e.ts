import { NestFactory } from '@nestjs/core';
import { Worker, WorkerClient, type TlsOptions } from '@mercury/messaging';
import { MessagingConnections, MessagingModule } from '@mercury/messaging/nest';
import { Authority } from '../support/certificates';
import { startTlsBroker, type TlsBroker } from '../support/tls-broker';
import { until } from '../support/until';
import { Used } from '../support/used';

const authority = new Authority('Test authority');
const passphrase = 'hush';
const trusted: TlsOptions = {
  ca: authority.certificate,
  ...authority.issue('client', passphrase),
  passphrase,
  serverName: 'broker.test',
};
const queueName = 'tls';

let broker: TlsBroker | undefined;
let rabbitUrl: string;
beforeAll(async () => {
  broker = await startTlsBroker(authority.certificate, authority.issue('broker.test'));
  rabbitUrl = broker.url;
}, 90_000);
afterAll(() => broker?.close());

const used = new Used();
afterEach(() => used.stop());

class Echo extends Worker {
  readonly seen: string[] = [];
  handler({ id }: { id: string }): void {
    this.seen.push(id);
  }
}

describe('a broker with TLS', () => {
  it('is used by who trusts its certificate, and shows one of its own', async () => {
    const options = { rabbitUrl, queueName, tls: trusted };
    const worker = used.add(new Echo(options));
    const client = used.add(new WorkerClient(options));
    await worker.start();
    const id = await client.put({}, { type: 'echo' });
    await until('the task is executed', () => worker.seen.includes(id));
  });

  it('is used by a Nest application', async () => {
    const module = MessagingModule.forRoot({ rabbitUrl, tls: trusted, queueName });
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    try {
      await expect(app.get(WorkerClient).put({}, { type: 'echo' })).resolves.toEqual(expect.any(String));
      expect(app.get(MessagingConnections).publishing.problem).toBeUndefined();
    } finally {
      await app.close();
    }
  });

  it.each<[string, (keyof TlsOptions)[], TlsOptions, RegExp]>([
    ['whose certificate nobody here trusts', ['ca'], {}, /certificate.*RABBITMQ_CA_FILE/],
    [
      'whose certificate is of another authority',
      [],
      { ca: new Authority('Somebody else').certificate },
      /certificate.*RABBITMQ_CA_FILE/,
    ],
    ['whose certificate is for another name', [], { serverName: 'other.test' }, /other\.test.*RABBITMQ_SERVER_NAME/],
    ['whose certificate is not for its address', ['serverName'], {}, /127\.0\.0\.1.*RABBITMQ_SERVER_NAME/],
    ['that wants a certificate', ['cert', 'key'], {}, /certificate.*RABBITMQ_CERT_FILE/],
    [
      'that does not trust ours',
      [],
      { ...new Authority('Somebody else').issue('client') },
      /certificate.*RABBITMQ_CERT_FILE/,
    ],
  ])('%s says so at start, and not that the password is wrong', async (_what, missing, others, message) => {
    const tls = { ...trusted, ...others };
    for (const name of missing) delete tls[name];
    const worker = used.add(new Echo({ rabbitUrl, queueName, tls }));
    await expect(worker.start()).rejects.toMatchObject({
      code: 'BROKER_TLS_FAILED',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('is not asked for TLS on a port without it, nor without it on one with', async () => {
    const { plainUrl = '' } = broker ?? {};
    const onPlain = used.add(new Echo({ rabbitUrl: plainUrl.replace('amqp:', 'amqps:'), queueName, tls: trusted }));
    await expect(onPlain.start()).rejects.toMatchObject({
      code: 'BROKER_TLS_FAILED',
      message: expect.stringContaining('does not speak TLS') as unknown,
    });

    const onTls = used.add(new Echo({ rabbitUrl: rabbitUrl.replace('amqps:', 'amqp:'), queueName }));
    void onTls.start().catch(() => undefined);
    await until('it says which one is needed', () => /amqps:\/\//.test(onTls.problem?.message ?? ''));
  });
});
