import { connect, type Socket } from 'node:net';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { requestLimits } from './request-limits';

@Controller()
class Health {
  @Get('health')
  answer(): string {
    return 'ok';
  }
}

@Module({ controllers: [Health] })
class App {}

const HEADERS = 'HTTP/1.1\r\nHost: localhost\r\n';

describe('a request that does not arrive', () => {
  let app: NestFastifyApplication;
  let port: number;
  const sockets: Socket[] = [];

  async function listen(timeoutMs: number): Promise<void> {
    const adapter = new FastifyAdapter({ forceCloseConnections: true, ...requestLimits(timeoutMs) });
    app = await NestFactory.create<NestFastifyApplication>(App, adapter, { logger: false });
    await app.listen(0, '127.0.0.1');
    ({ port } = app.getHttpServer().address() as { port: number });
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await app.close();
  });

  /** Sends that and no more. Resolves once it is connected; `ended` to all that came, once the other side has ended it. */
  async function send(text: string): Promise<{ ended: Promise<string> }> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(text);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    socket.on('error', () => undefined);
    return { ended: new Promise((resolve) => socket.once('close', () => resolve(answer))) };
  }

  const slow: [string, string][] = [
    ['not even begun', ''],
    ['within its headers', `GET /health ${HEADERS}X-Slow: `],
    ['within its body', `POST /health ${HEADERS}Content-Length: 100\r\nContent-Type: application/json\r\n\r\n{"a`],
    ['within a body that nobody asks for', `GET /health ${HEADERS}Content-Length: 100\r\n\r\nabc`],
  ];

  it.each(slow)('is ended after its time: %s', async (_where, text) => {
    await listen(300);
    const startedAtMs = performance.now();
    const { ended } = await send(text);
    await ended;
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  });

  it('does not hold up a shutdown', async () => {
    await listen(60_000);
    const all = await Promise.all(slow.map(([, text]) => send(text)));
    // Whose answer has come was read by the server, and so was what was sent before it.
    const { ended } = await send(`GET /health ${HEADERS}Connection: close\r\n\r\n`);
    expect(await ended).toContain('200 OK');
    await app.close();
    await Promise.all(all.map((each) => each.ended));
  }, 5_000);
});
