import { postText, problem, type Problem } from '../../../test/support/http';
import { raw, startProducer, type MemoryProducer } from '../../../test/support/memory-producer';

const SLEEP = { type: 'sleep', payload: { ms: 1 } };

describe('the producer', () => {
  let producer: MemoryProducer;
  beforeAll(async () => {
    producer = await startProducer();
  });
  afterAll(() => producer.app.close());

  const tasks = () => producer.broker.messages('tasks');
  const at = (path: string) => `${producer.url}${path}`;

  it('puts a task', async () => {
    const response = await postText(at('/v1/tasks'), JSON.stringify({ ...SLEEP, id: 'mine' }));
    expect([response.status, await response.json()]).toMatchObject([202, { id: 'mine', state: 'queued' }]);
    expect(tasks()).toMatchObject([{ id: 'mine', body: { ms: 1 } }]);
  });

  it.each<[string, string, string, string]>([
    [
      'task',
      '/v1/tasks',
      '{"type":"webhook.deliver","payload":{"url":"http://a","event":"e","data":{"id":N}}}',
      '/payload/data/id',
    ],
    ['event', '/v1/events', '{"level":"info","data":{"a":[N]}}', '/data/a/0'],
    ['replay', '/v1/dead-letters/replay', '{"filter":{},"ratePerSecond":N}', '/ratePerSecond'],
  ])('points to a number of a %s that would change', async (_what, path, body, pointer) => {
    for (const number of ['1234567890123456789', '1e400', '-1e-400']) {
      const answer = await problem(await postText(at(path), body.replace('N', number)));
      expect(answer).toMatchObject({ status: 422, code: 'INVALID_REQUEST', errors: [{ pointer }] });
    }
  });

  it.each([
    ['application/json', '[', ',', ']'],
    ['application/x-ndjson', '', '\n', ''],
  ])('refuses only the task of a batch in %s that has one', async (contentType, open, between, close) => {
    const items = ['{"type":"sleep","payload":{"ms":1}}', '{"type":"sleep","payload":{"ms":1e400}}'];
    const response = await postText(at('/v1/tasks/batch'), `${open}${items.join(between)}${close}`, {
      'content-type': contentType,
    });
    const { results } = (await response.json()) as { results: Problem[] };
    expect(results).toMatchObject([{ status: 202 }, { status: 422, errors: [{ pointer: '/payload/ms' }] }]);
  });

  it.each<[string, string, string, number, string]>([
    ['a path', 'GET', '/v1/tasks/%zz', 400, 'MALFORMED_URL'],
    ['a path of a POST', 'POST', '/%', 400, 'MALFORMED_URL'],
    ['a path that there is not', 'GET', '/nope', 404, 'NOT_FOUND'],
    ['a method', 'DELETE', '/v1/tasks', 405, 'METHOD_NOT_ALLOWED'],
    ['a method for one task', 'PUT', '/v1/tasks/abc', 405, 'METHOD_NOT_ALLOWED'],
    ['a method for a page', 'POST', '/metrics', 405, 'METHOD_NOT_ALLOWED'],
  ])('answers %s with what is wrong with it: %s %s', async (_what, method, path, status, code) => {
    const answer = await raw(
      producer.port,
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([status, { code }]);
    expect(answer.headers).toContain('content-type: application/problem+json');
    expect(answer.headers).toContain('nosniff');
    if (status === 405) expect(answer.headers).toMatch(/allow: [A-Z, ]*OPTIONS/);
  });

  it('tells which methods there are', async () => {
    const response = await fetch(at('/v1/tasks/abc'), { method: 'OPTIONS' });
    expect([response.status, response.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
    expect(await fetch(at('/v1/tasks'), { method: 'OPTIONS' })).toMatchObject({ status: 204 });
    expect((await fetch(at('/health/live'), { method: 'HEAD' })).status).toBe(200);
  });

  it('takes a path with a slash at its end for the same', async () => {
    expect((await postText(at('/v1/tasks/'), JSON.stringify(SLEEP))).status).toBe(202);
    expect(await problem(await fetch(at('/v1/tasks/')))).toMatchObject({ status: 405 });
  });

  it.each<[string, string, number, string]>([
    ['what is no HTTP', 'HELO producer\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['a request without Host', 'GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    [
      'two lengths',
      'POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'headers without an end',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
  ])('answers %s with a problem', async (_what, request, status, code) => {
    const answer = await raw(producer.port, request);
    expect(answer.headers).toContain('content-type: application/problem+json');
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([status, { status, code }]);
  });

  it('answers a request that expects something', async () => {
    const request = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nExpect: cake\r\nConnection: close\r\n\r\n';
    expect(await raw(producer.port, request)).toMatchObject({ status: 200 });
  });

  it.each([['identity'], ['IDENTITY'], ['Identity, identity']])('takes a body in %s encoding', async (encoding) => {
    expect((await postText(at('/v1/tasks'), JSON.stringify(SLEEP), { 'content-encoding': encoding })).status).toBe(202);
  });

  it.each([['gzip'], ['identity, gzip'], ['']])('refuses a body in "%s" encoding', async (encoding) => {
    const response = await postText(at('/v1/tasks'), JSON.stringify(SLEEP), { 'content-encoding': encoding });
    expect(await problem(response)).toMatchObject({ status: 415, code: 'NOT_JSON' });
  });

  it('serves the documentation without a script or handler that its policy would stop', async () => {
    const page = await (await fetch(at('/docs'))).text();
    expect(page).toContain('swagger-ui-bundle.js');
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(page).not.toMatch(/\son\w+=/);
    for (const [, file] of page.matchAll(/src=["'](?:\.\/)?([^"']+\.js)/g)) {
      expect((await fetch(at(`/${String(file).replace(/^\.?\//, '')}`))).status).toBe(200);
    }
  });

  it.each<[string, string, Record<string, string>]>([
    ['a task as plain text', '/v1/tasks', { 'content-type': 'text/plain' }],
    ['a task as a form', '/v1/tasks', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['NDJSON outside of a batch', '/v1/tasks', { 'content-type': 'application/x-ndjson' }],
    ['text that says JSON, too', '/v1/tasks', { 'content-type': 'text/plain; application/json' }],
    ['a replay as plain text', '/v1/dead-letters/a/replay', { 'content-type': 'text/plain' }],
  ])('refuses %s, before it is read', async (_what, path, headers) => {
    const response = await postText(at(path), '{', headers);
    expect(await problem(response)).toMatchObject({ status: 415, code: 'NOT_JSON' });
  });

  it('replays a letter for who could not be a page of another site', async () => {
    const replay = (headers: Record<string, string>, body: string | null = null) =>
      fetch(at('/v1/dead-letters/none/replay'), { method: 'POST', headers, body });
    expect(await problem(await replay({}))).toMatchObject({ status: 415, code: 'NOT_JSON' });
    for (const response of [
      await replay({ 'content-type': 'application/json' }),
      await replay({ 'content-type': 'application/json' }, '{}'),
      await replay({ 'x-requested-with': 'curl' }),
    ]) {
      expect(await problem(response)).toMatchObject({ status: 404, code: 'DEAD_LETTER_NOT_FOUND' });
    }
  });

  it('names no more than 20 fields, shortened, whatever it is sent', async () => {
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`"${index}"`.repeat(10), 1]));
    for (const body of [
      { ...SLEEP, ...wide },
      { ...SLEEP, ['\u0001'.repeat(150_000)]: 1 },
      { type: 'sleep', payload: wide },
    ]) {
      const response = await postText(at('/v1/tasks'), JSON.stringify(body));
      const text = await response.clone().text();
      expect(text.length).toBeLessThan(65_536);
      expect((await problem(response)).errors?.length).toBeLessThanOrEqual(20);
    }
  });

  it.each<[string, number]>([
    ['says its length', 17],
    ['does not', 2],
  ])('refuses JSON of more than a mebibyte and its envelope, when it %s', async (what, mebibytes) => {
    const body = JSON.stringify({ ...SLEEP, fill: 'x'.repeat(mebibytes * 1_048_576) });
    const stream = what === 'does not' ? new Blob([body]).stream() : body;
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: stream, duplex: 'half' };
    const answer = await problem(await fetch(at('/v1/tasks'), init as RequestInit));
    expect(answer).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
  });

  it('says that a task is too large before it looks at the key that it comes with', async () => {
    const headers = { 'idempotency-key': 'once' };
    expect((await postText(at('/v1/tasks'), JSON.stringify(SLEEP), headers)).status).toBe(202);
    const data = { fill: 'x'.repeat(1_048_576) };
    const large = { type: 'webhook.deliver', payload: { url: 'https://a.example', event: 'e', data } };
    const answer = await problem(await postText(at('/v1/tasks'), JSON.stringify(large), headers));
    expect(answer).toMatchObject({ status: 413, code: 'TASK_TOO_LARGE' });
  });
});
