import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { DiscardTask, RetryTask } from '@mercury/messaging';
import { receiverName } from './receiver-name';
import { WebhookSender, type WebhookSenderOptions, retryAfterMs } from './webhook-sender';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ENQUEUED_AT_MS = Date.parse('2026-03-04T05:06:07.089Z');
const PAYLOAD = { event: 'order.paid', data: { orderId: 4711, name: 'Zoë' } };

interface Received {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

type Answer = (response: ServerResponse) => void;

/** A receiver of webhooks on this machine: keeps what comes, and answers as it is told. */
class Receiver {
  readonly received: Received[] = [];
  answer: Answer = (response) => response.writeHead(204).end();
  private readonly server: Server = createServer((request, response) => void this.take(request, response));

  async listen(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The one webhook that came. */
  get only(): Received {
    const [first, ...others] = this.received;
    if (!first || others.length > 0) throw new Error(`${this.received.length} webhooks came.`);
    return first;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '' } = request;
    const headers = request.headers as Record<string, string>;
    this.received.push({ method, path, headers, body: await text(request) });
    this.answer(response);
  }
}

let receiver: Receiver;

beforeEach(async () => {
  receiver = new Receiver();
  await receiver.listen();
});

afterEach(() => receiver.close());

const deliver = (url: string, options?: Partial<WebhookSenderOptions>): Promise<number> =>
  new WebhookSender({ allowedHosts: ['127.0.0.1'], timeoutMs: 10_000, ...options }).send({
    id: 'order-4711',
    enqueuedAtMs: ENQUEUED_AT_MS,
    payload: { url, ...PAYLOAD },
    signal: new AbortController().signal,
  });

const hook = (path = '/hook') => `http://${receiver.host}${path}`;
const nameOf = (url: string) => receiverName(new URL(url), false);

/** What a send that must not succeed throws. */
async function failureOf(sending: Promise<number>): Promise<DiscardTask | RetryTask> {
  const error: unknown = await sending.then(
    (status) => new Error(`answered ${status}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DiscardTask || error instanceof RetryTask) return error;
  throw error;
}

const answer =
  (status: number, headers: Record<string, string> = {}, body = ''): Answer =>
  (response) =>
    response.writeHead(status, headers).end(body);

describe('a webhook', () => {
  it('is posted as type, timestamp and data, with the task’s id', async () => {
    await deliver(hook('/hook?token=t'));
    const { method, path, headers, body } = receiver.only;
    expect([method, path]).toEqual(['POST', '/hook?token=t']);
    expect(body).toBe(
      '{"type":"order.paid","timestamp":"2026-03-04T05:06:07.089Z","data":{"orderId":4711,"name":"Zoë"}}',
    );
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'webhook-id': 'order-4711',
    });
    expect(Math.abs(Number(headers['webhook-timestamp']) * 1000 - Date.now())).toBeLessThan(60_000);
    expect(headers).not.toHaveProperty('webhook-signature');
  });

  it('is signed so that the receiver can verify it, and notice a change', async () => {
    await deliver(hook(), { secret: SECRET });
    const { headers, body } = receiver.only;
    expect(new Webhook(SECRET).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(SECRET).verify(body.replace('4711', '4712'), headers)).toThrow();
    expect(() => new Webhook(SECRET).verify(body, { ...headers, 'webhook-id': 'other' })).toThrow();
  });

  it.each([[200], [201], [202], [204]])('is delivered when the answer is %i', async (status) => {
    receiver.answer = answer(status);
    await expect(deliver(hook())).resolves.toBe(status);
  });

  it('does not wait for the end of an answer', async () => {
    const gone = new Promise((resolve) => {
      receiver.answer = (response) => {
        response.writeHead(200).write('on and on');
        response.once('close', resolve);
      };
    });
    await expect(deliver(hook())).resolves.toBe(200);
    await gone;
  });
});

describe('an answer that is no success', () => {
  it.each([
    [500, 'WEBHOOK_STATUS_5XX'],
    [503, 'WEBHOOK_STATUS_5XX'],
    [408, 'WEBHOOK_STATUS_408'],
    [425, 'WEBHOOK_STATUS_425'],
    [429, 'WEBHOOK_STATUS_429'],
  ])('%i is tried again', async (status, code) => {
    receiver.answer = answer(status, {}, 'not now');
    const error = await failureOf(deliver(hook()));
    expect(error).toBeInstanceOf(RetryTask);
    expect(error).toMatchObject({ code, delayMs: undefined });
    expect(error.message).toBe(`${nameOf(hook())} answered ${status}: not now`);
  });

  it.each([[400], [401], [404], [410], [422]])('%i is dead at once', async (status) => {
    receiver.answer = answer(status);
    const error = await failureOf(deliver(hook()));
    expect(error).toBeInstanceOf(DiscardTask);
    expect(error.code).toBe('WEBHOOK_STATUS_4XX');
  });

  it('asks for the delay that Retry-After names', async () => {
    receiver.answer = answer(503, { 'retry-after': '120' });
    expect(await failureOf(deliver(hook()))).toMatchObject({ delayMs: 120_000 });
  });

  it('keeps the start of a long answer, and reads no further than it must', async () => {
    receiver.answer = (response) => {
      const pour = () => void (response.writable && response.write('x'.repeat(10_000), pour));
      response.writeHead(500);
      pour();
    };
    const { message } = await failureOf(deliver(hook()));
    expect(message).toBe(`${nameOf(hook())} answered 500: ${'x'.repeat(512)}`);
  });

  it('is told without the address also where it is cut off within it', async () => {
    for (const length of [490, 500, 510]) {
      receiver.answer = (response) =>
        response.writeHead(500).end(`${'x'.repeat(length)}/services/T024BE7LD/x8Qm2vLpR4`);
      const { message } = await failureOf(deliver(hook('/services/T024BE7LD/x8Qm2vLpR4')));
      expect(message).not.toMatch(/x\/|serv|T024/);
    }
  });

  it('is told without what was sent before a redirect, and without the signature', async () => {
    receiver.answer = (response) => {
      const last = receiver.received.at(-1);
      if (last?.path !== '/second-place') return response.writeHead(307, { location: '/second-place' }).end();
      const { 'webhook-signature': signature, 'webhook-id': id } = last.headers;
      return response.writeHead(500).end(`x8Qm2vLpR4 ${signature} of ${id}`);
    };
    const url = hook('/services/T024BE7LD/x8Qm2vLpR4');
    const { message } = await failureOf(deliver(url, { secret: SECRET }));
    expect(message).toBe(`${nameOf(hook('/second-place'))} answered 500: *** v1,*** of order-4711`);
  });

  it('is told without the query, which may hold a token', async () => {
    receiver.answer = answer(500);
    const url = hook('/hook?token=hush');
    expect((await failureOf(deliver(url))).message).toBe(`${nameOf(url)} answered 500.`);
  });
});

describe('Retry-After', () => {
  const nowMs = Date.parse('2026-03-04T05:06:07Z');

  it.each([
    ['nothing', undefined, undefined],
    ['an empty value', '', undefined],
    ['nonsense', 'soon', undefined],
    ['seconds', '5', 5_000],
    ['zero', '0', 0],
    ['a day', '86400', 86_400_000],
    ['more than a day', '86401', 86_400_000],
    ['more than any number', '9'.repeat(400), 86_400_000],
    ['a date', 'Wed, 04 Mar 2026 05:08:07 GMT', 120_000],
    ['a date that is past', 'Wed, 04 Mar 2026 05:06:00 GMT', 0],
    ['a date far ahead', 'Wed, 04 Mar 2099 05:06:00 GMT', 86_400_000],
  ])('of %s', (_what, header, expected) => {
    expect(retryAfterMs(header, nowMs)).toBe(expected);
  });
});
