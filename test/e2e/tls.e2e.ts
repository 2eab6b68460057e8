import { NestFactory } from '@nestjs/core';
import { Worker, WorkerClient, type TlsOptions } from '@mercury/messaging';
import { MessagingConnections, MessagingModule } from '@mercury/messaging/nest';
import { Authority } from '../support/certificates';
import { startTlsBroker, type TlsBroker } from '../support/tls-broker';
import { until } from '../support/until';

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

class Echo extends Worker {
  readonly seen: string[] = [];
  handler({ id }: { id: string }): void {
    this.seen.push(id);
  }
}

describe('a broker with TLS', () => {
  it('is used by who trusts its certificate, and shows one of its own', async () => {
    const options = { rabbitUrl, queueName, tls: trusted };
    const worker = new Echo(options);
    const client = new WorkerClient(options);
    await worker.start();
    const id = await client.put({}, { type: 'echo' });
    await until('the task is executed', () => worker.seen.includes(id));
    await Promise.all([worker.stop(), client.stop()]);
  });

  it('is used by a Nest application', async () => {
    const module = MessagingModule.forRoot({ rabbitUrl, tls: trusted, queueName });
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    await expect(app.get(WorkerClient).put({}, { type: 'echo' })).resolves.toEqual(expect.any(String));
    expect(app.get(MessagingConnections).publishing.problem).toBeUndefined();
    await app.close();
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
    const worker = new Echo({ rabbitUrl, queueName, tls });
    worker.events.on('problem', () => undefined);
    await expect(worker.start()).rejects.toMatchObject({
      code: 'BROKER_TLS_FAILED',
      message: expect.stringMatching(message) as unknown,
    });
    await worker.stop();
  });

  it('is not asked for TLS on a port without it, nor without it on one with', async () => {
    const { plainUrl = '' } = broker ?? {};
    const onPlain = new Echo({ rabbitUrl: plainUrl.replace('amqp:', 'amqps:'), queueName, tls: trusted });
    onPlain.events.on('problem', () => undefined);
    await expect(onPlain.start()).rejects.toMatchObject({
      code: 'BROKER_TLS_FAILED',
      message: expect.stringContaining('does not speak TLS') as unknown,
    });
    await onPlain.stop();

    const onTls = new Echo({ rabbitUrl: rabbitUrl.replace('amqps:', 'amqp:'), queueName });
    onTls.events.on('problem', () => undefined);
    void onTls.start().catch(() => undefined);
    await until('it says which one is needed', () => /amqps:\/\//.test(onTls.problem?.message ?? ''));
    await onTls.stop();
  });
});
