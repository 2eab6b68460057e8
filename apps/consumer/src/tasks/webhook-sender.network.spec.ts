import { getEventListeners, once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DiscardTask, RetryTask } from '@mercury/messaging';
import type { Resolve } from './address-guard';
import { until } from '../../../../test/support/until';
import { receiverName } from './receiver-name';
import { WebhookSender, type WebhookSenderOptions } from './webhook-sender';

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Answer = (response: ServerResponse) => void;

/** Answers by path; what came is listed as `POST /path event`. */
let answers: Record<string, Answer>;
let received: string[];
let server: Server;
let port: number;

beforeEach(async () => {
  answers = {};
  received = [];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      const { type } = JSON.parse(body) as { type: string };
      received.push(`${request.method} ${request.url} ${type}`);
      (answers[request.url ?? ''] ?? ((other) => other.writeHead(204).end()))(response);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  server.closeAllConnections();
  if (server.listening) await once(server.close(), 'close');
});

/** Every name is this machine. */
const allHere: Resolve = (_hostname, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);

interface Options extends Partial<WebhookSenderOptions> {
  signal?: AbortSignal;
}

/** `hooks.example` may be reached; every other name is this machine as well, but may not. */
function deliver(url: string, { signal = new AbortController().signal, ...options }: Options = {}): Promise<number> {
  const sender = new WebhookSender({
    allowedHosts: [`hooks.example:${port}`],
    timeoutMs: 10_000,
    resolve: allHere,
    ...options,
  });
  return sender.send({ id: 'a', enqueuedAtMs: 0, payload: { url, event: 'order.paid', data: {} }, signal });
}

const at = (path: string, host = 'hooks.example') => `http://${host}:${port}${path}`;

const redirect =
  (status: number, location: string): Answer =>
  (response) =>
    response.writeHead(status, { location }).end();

/** What a delivery that must not succeed throws. */
async function failureOf(sending: Promise<number>): Promise<DiscardTask | RetryTask> {
  const error: unknown = await sending.then(
    (status) => new Error(`answered ${status}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DiscardTask || error instanceof RetryTask) return error;
  throw error;
}

async function expectDead(sending: Promise<number>, code: string): Promise<void> {
  const error = await failureOf(sending);
  expect(error).toBeInstanceOf(DiscardTask);
  expect(error.code).toBe(code);
}

it('leaves no connection open, however a delivery ends', async () => {
  answers = {
    '/moved': redirect(307, '/new'),
    '/broken': (response) => response.writeHead(503).end('busy'),
    '/silent': () => undefined,
    '/endless': (response) => response.writeHead(503).write('x'.repeat(1_000_000)),
  };
  await deliver(at('/new'));
  await deliver(at('/moved'));
  for (const path of ['/broken', '/endless']) await failureOf(deliver(at(path)));
  await failureOf(deliver(at('/silent'), { timeoutMs: 50 }));
  const open = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  // A connection that is kept alive lives for some seconds.
  await until('all are closed', async () => (await open()) === 0, 2_000);
});

describe('a redirect', () => {
  it.each([[307], [308]])('%i is followed with method and body', async (status) => {
    answers['/old'] = redirect(status, '/new');
    await expect(deliver(at('/old'))).resolves.toBe(204);
    expect(received).toEqual(['POST /old order.paid', 'POST /new order.paid']);
  });

  it.each([[301], [302], [303]])('%i is dead: it would lose the body', async (status) => {
    answers['/old'] = redirect(status, '/new');
    await expectDead(deliver(at('/old')), 'WEBHOOK_REDIRECT');
    expect(received).toEqual(['POST /old order.paid']);
  });

  it('is followed three times, and not four', async () => {
    answers = { '/1': redirect(307, '/2'), '/2': redirect(308, '/3'), '/3': redirect(307, '/4') };
    await expect(deliver(at('/1'))).resolves.toBe(204);
    answers['/4'] = redirect(307, '/5');
    received = [];
    await expectDead(deliver(at('/1')), 'WEBHOOK_REDIRECT');
    expect(received.map((line) => line.split(' ')[1])).toEqual(['/1', '/2', '/3', '/4']);
  });

  it.each([
    ['a name that is private', () => at('/inside', 'inside.example')],
    ['another port of an allowed host', () => `http://hooks.example:${port - 1}/`],
    ['a private address', () => at('/inside', '127.0.0.1')],
    ['a private address as a number', () => at('/inside', '2130706433')],
    ['a private address without a scheme', () => `//127.0.0.1:${port}/inside`],
  ])('to %s is refused', async (_what, target) => {
    answers['/old'] = redirect(307, target());
    await expectDead(deliver(at('/old')), 'WEBHOOK_REFUSED_ADDRESS');
    expect(received).toEqual(['POST /old order.paid']);
  });

  it.each([
    ['nowhere', ''],
    ['another scheme', 'ftp://hooks.example/'],
    ['no address', 'http://'],
    ['user and password', 'http://user:password@hooks.example/'],
  ])('to %s is dead', async (_what, location) => {
    answers['/old'] = (response) => response.writeHead(307, location === '' ? {} : { location }).end();
    await expectDead(deliver(at('/old')), 'WEBHOOK_REDIRECT');
  });
});

describe('an address', () => {
  it.each([['inside.example'], ['127.0.0.1'], ['[::1]'], ['localhost'], ['localhost.']])(
    '%s is refused, and nothing is sent there',
    async (host) => {
      await expectDead(deliver(at('/', host)), 'WEBHOOK_REFUSED_ADDRESS');
      expect(received).toEqual([]);
    },
  );

  it('is asked for once per connection: what was checked is what is dialled', async () => {
    let asked = 0;
    const rebinding: Resolve = (_hostname, callback) =>
      callback(null, [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]);
    await expect(deliver(at('/'), { resolve: rebinding })).resolves.toBe(204);
    expect(asked).toBe(1);
  });
});

describe('no answer', () => {
  it('in time is tried again', async () => {
    answers['/slow'] = () => undefined;
    const error = await failureOf(deliver(at('/slow'), { timeoutMs: 50 }));
    expect(error).toBeInstanceOf(RetryTask);
    expect(error).toMatchObject({ code: 'WEBHOOK_TIMEOUT' });
    expect(error.message).toContain('50 ms');
  });

  it('in time is noticed also when garbage is collected meanwhile', async () => {
    answers['/slow'] = () => undefined;
    const sending = failureOf(deliver(at('/slow'), { timeoutMs: 200 }));
    await until('the request is there', () => received.length === 1);
    collectGarbage();
    expect(await sending).toMatchObject({ code: 'WEBHOOK_TIMEOUT' });
  });

  it('leaves no listener on the signal of the task', async () => {
    const task = new AbortController();
    for (let round = 0; round < 20; round++) await deliver(at('/'), { signal: task.signal });
    expect(getEventListeners(task.signal, 'abort')).toEqual([]);
  });

  it('from a port that nobody listens on is tried again, and told without the query', async () => {
    await once(server.close(), 'close');
    const error = await failureOf(deliver(at('/hook?token=hush')));
    expect(error).toBeInstanceOf(RetryTask);
    expect(error.code).toBe('WEBHOOK_UNREACHABLE');
    expect(error.message).toBe(
      `${receiverName(new URL(at('/hook?token=hush')), false)} cannot be reached: ECONNREFUSED.`,
    );
  });

  it('from a name that is unknown is tried again: it may come back', async () => {
    const unknown = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    const error = await failureOf(deliver(at('/'), { resolve: (_hostname, callback) => callback(unknown, []) }));
    expect(error).toBeInstanceOf(RetryTask);
    expect(error).toMatchObject({
      code: 'WEBHOOK_UNREACHABLE',
      message: expect.stringContaining('ENOTFOUND') as string,
    });
  });

  it('from a server that hangs up is tried again', async () => {
    answers['/'] = (response) => void response.destroy();
    const error = await failureOf(deliver(at('/')));
    expect(error).toBeInstanceOf(RetryTask);
    expect(error.code).toBe('WEBHOOK_UNREACHABLE');
  });

  it('is not waited for when the task is taken away', async () => {
    const task = new AbortController();
    answers['/'] = () => task.abort();
    expect(await failureOf(deliver(at('/'), { signal: task.signal }))).toBeInstanceOf(RetryTask);
  });

  it('comes of a task that was taken away before: nothing is sent', async () => {
    expect(await failureOf(deliver(at('/'), { signal: AbortSignal.abort() }))).toBeInstanceOf(RetryTask);
    expect(received).toEqual([]);
  });
});
