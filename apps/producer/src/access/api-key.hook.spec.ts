import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import { ProblemException } from '../problems/problem';
import { requireApiKey, type IdentifiedRequest } from './api-key.hook';
import { ApiKeys } from './api-keys';

let folder: string;
let keys: ApiKeys;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mercury-guard-'));
  const path = join(folder, 'keys');
  await writeFile(path, `shop:${createHash('sha256').update('hush').digest('hex')}\n`);
  keys = ApiKeys.fromFile(path);
});

afterAll(() => rm(folder, { recursive: true }));

/** What the hook says to a request with this header, and what it left on request and reply. */
async function ask(authorization: string | undefined, url = '/v1/tasks') {
  const request = { headers: { authorization }, routeOptions: { url } } as unknown as IdentifiedRequest;
  const headers: Record<string, string> = {};
  const reply = { header: (name: string, value: string) => (headers[name] = value) } as unknown as FastifyReply;
  const answer = await (async () => requireApiKey(keys)(request, reply))().then(
    () => true,
    (error: unknown) => {
      if (!(error instanceof ProblemException)) throw error;
      return error;
    },
  );
  return { answer, client: request.client, headers };
}

describe('requireApiKey', () => {
  it.each([['Bearer hush'], ['bearer hush']])(
    'lets in who has a key, and knows who it is: %s',
    async (authorization) => {
      expect(await ask(authorization)).toEqual({ answer: true, client: 'shop', headers: {} });
    },
  );

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['another key', 'Bearer other'],
    ['no key', 'Bearer '],
    ['a key with something behind it', 'Bearer hush hush'],
    ['a key with something before it', 'x Bearer hush'],
    ['the key alone', 'hush'],
    ['another scheme', 'Basic hush'],
  ])('refuses %s, and says what it wants', async (_what, authorization) => {
    const { answer, client, headers } = await ask(authorization);
    expect(answer).toBeInstanceOf(ProblemException);
    expect((answer as ProblemException).problem).toMatchObject({ status: 401, code: 'KEY_REQUIRED' });
    expect(client).toBeUndefined();
    expect(headers).toEqual({ 'www-authenticate': 'Bearer' });
  });

  it('leaves everything but the API open', async () => {
    expect(await ask(undefined, '/health/ready')).toMatchObject({ answer: true });
  });
});
