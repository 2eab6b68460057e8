import { connect } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { MessagingConnections } from '@mercury/messaging/nest';
import { MemoryBroker } from '@mercury/messaging/testing';
import { prepareHttp, producerAdapter } from '../../apps/producer/src/producer.app';
import { readProducerEnvironment } from '../../apps/producer/src/producer.config';
import { ProducerModule } from '../../apps/producer/src/producer.module';

export type MemoryProducer = Awaited<ReturnType<typeof startProducer>>;

/** The whole producer, on a broker in memory, once it is ready. */
export async function startProducer(variables: Record<string, string> = {}) {
  const environment = readProducerEnvironment({ RABBITMQ_URL: 'amqp://localhost', LOG_LEVEL: 'silent', ...variables });
  const broker = new MemoryBroker();
  const testing = Test.createTestingModule({ imports: [ProducerModule.with(environment)] });
  const compiled = await testing.overrideProvider(MessagingConnections).useValue(broker.connect()).compile();
  const app = compiled.createNestApplication<NestFastifyApplication>(producerAdapter(), {
    bodyParser: false,
    logger: false,
  });
  await prepareHttp(app, environment);
  await app.listen(0, '127.0.0.1');
  await broker.untilIdle();
  const url = await app.getUrl();
  return { app, broker, url, port: Number(new URL(url).port) };
}

/** What is answered to exactly these bytes, until the connection ends. */
export function raw(port: number, request: string): Promise<{ status: number; headers: string; body: string }> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    socket.on('error', reject).on('close', () => {
      const [headers = '', body = ''] = text.split('\r\n\r\n', 2);
      resolve({ status: Number(headers.split(' ')[1]), headers, body });
    });
  });
}

/** The lines of a request that has no body. */
export function request(method: string, path: string, headers: Record<string, string>): string {
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}
