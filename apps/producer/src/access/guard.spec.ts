import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readiness } from '@mercury/messaging/nest';
import { postText, problem } from '../../../../test/support/http';
import { raw, request, startProducer, type MemoryProducer } from '../../../../test/support/memory-producer';

const SLEEP = { type: 'sleep', payload: { ms: 1 } };

describe('the producer without keys', () => {
  let producer: MemoryProducer;
  beforeAll(async () => {
    producer = await startProducer();
  });
  afterAll(() => producer.app.close());

  it.each<[string, Record<string, string>]>([
    ['another name', { host: 'evil.example' }],
    ['another name with a port', { host: 'evil.example:3000' }],
    ['a name that only begins so', { host: 'localhost.evil.example' }],
    ['an address of another machine', { host: '192.168.0.5' }],
    ['an address as one number', { host: '2130706433' }],
    ['no host at all', { host: '"' }],
    ['another site', { host: 'localhost', origin: 'https://evil.example' }],
    ['another port of this machine', { host: 'localhost:3000', origin: 'http://localhost:8080' }],
    ['nobody', { host: 'localhost', origin: 'null' }],
    ['another site without saying which', { host: 'localhost', 'sec-fetch-site': 'cross-site' }],
    ['a neighbour', { host: 'localhost', 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }],
  ])('refuses a page of %s', async (_what, headers) => {
    for (const [method = '', path = ''] of [
      ['POST', '/v1/tasks'],
      ['GET', '/v1/dead-letters'],
      ['GET', '/openapi.json'],
    ]) {
      const answer = await raw(producer.port, request(method, path, headers));
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([
        403,
        { code: expect.stringMatching(/^(HOST|ORIGIN)_REFUSED$/) as string },
      ]);
    }
  });

  it.each<[string, Record<string, string>]>([
    ['localhost', { host: 'localhost' }],
    ['LOCALHOST and a port', { host: 'LOCALHOST:3000' }],
    ['any address of loopback', { host: '127.8.9.10:80' }],
    ['the one of IPv6', { host: '[::1]:3000' }],
    ['its own page', { host: 'localhost:3000', origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }],
    ['the address bar', { host: 'localhost', 'sec-fetch-site': 'none' }],
    [
      'a link to it',
      { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    ],
  ])('shows its documentation to who comes from %s', async (_what, headers) => {
    const answer = await raw(producer.port, request('GET', '/docs', headers));
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatch(/content-security-policy: default-src 'self'/);
    expect(answer.headers).toMatch(/x-frame-options: DENY/);
    expect(answer.headers).toMatch(/x-content-type-options: nosniff/);
  });
});

describe('the producer with keys and a limit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mercury-producer-'));
  const keys = join(folder, 'keys');
  let producer: MemoryProducer;

  beforeAll(async () => {
    writeFileSync(keys, `shop:${createHash('sha256').update('sesame').digest('hex')}\n`);
    producer = await startProducer({ API_KEYS_FILE: keys, RATE_LIMIT_PER_MINUTE: '2' });
  });
  afterAll(async () => {
    await producer.app.close();
    rmSync(folder, { recursive: true });
  });

  /** Of a request whose body never comes: so its answer does not wait for it. */
  const withoutBody = (headers: Record<string, string>) =>
    raw(
      producer.port,
      request('POST', '/v1/tasks', {
        host: 'tasks.example',
        'content-type': 'application/json',
        'content-length': '1000',
        ...headers,
      }),
    );

  it('answers under every name, and replays without a content type: the key is what no page has', async () => {
    const answer = await raw(
      producer.port,
      request('POST', '/v1/dead-letters/a/replay', {
        host: 'tasks.example',
        origin: 'https://other.example',
        authorization: 'Bearer sesame',
      }),
    );
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([404, { code: 'DEAD_LETTER_NOT_FOUND' }]);
  });

  it('asks for the key, and counts, before a body has come', async () => {
    expect(await withoutBody({})).toMatchObject({ status: 401 });
    expect((await fetch(`${producer.url}/v1/tasks/a`, { headers: { authorization: 'Bearer sesame' } })).status).toBe(
      404,
    );
    const answer = await withoutBody({ authorization: 'Bearer sesame' });
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([429, { code: 'TOO_MANY_REQUESTS' }]);
    expect(answer.headers).toMatch(/retry-after: \d+/);
  });

  it('goes on answering once it shuts down, and tells callers to leave', async () => {
    expect((await fetch(`${producer.url}/health/ready`)).headers.get('connection')).toBe('keep-alive');
    producer.app.get(Readiness).shutDown();
    const ready = await fetch(`${producer.url}/health/ready`);
    expect([ready.status, ready.headers.get('connection')]).toEqual([503, 'close']);
    const task = await fetch(`${producer.url}/v1/tasks/a`);
    expect([task.status, task.headers.get('connection')]).toEqual([401, 'close']);
  });
});

describe('the producer that is open to other machines', () => {
  let producer: MemoryProducer;
  beforeAll(async () => {
    producer = await startProducer({ ALLOW_UNAUTHENTICATED: 'true', ALLOWED_HOSTS: 'tasks.example' });
  });
  afterAll(() => producer.app.close());

  it.each([
    ['localhost:3000', 200],
    ['192.168.0.5', 200],
    ['[fe80::1]:3000', 200],
    ['producer:3000', 200],
    ['Tasks.Example.:3000', 200],
    ['evil.example', 403],
    ['more.tasks.example', 403],
  ])('asked for %s answers %d', async (host, status) => {
    const answer = await raw(producer.port, request('GET', '/health/live', { host }));
    expect(answer.status).toBe(status);
  });

  it('refuses pages of other sites', async () => {
    const response = await postText(`${producer.url}/v1/tasks`, JSON.stringify(SLEEP), {
      origin: 'https://evil.example',
    });
    expect(await problem(response)).toMatchObject({ status: 403, code: 'ORIGIN_REFUSED' });
  });
});
