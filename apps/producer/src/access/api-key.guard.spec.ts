import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host';
import { ProblemException } from '../problems/problem';
import { ApiKeyGuard, type IdentifiedRequest } from './api-key.guard';
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

/** What the guard says to a request with this header, and what it left on request and reply. */
function ask(guard: ApiKeyGuard, authorization: string | undefined) {
  const request = { headers: { authorization } } as IdentifiedRequest;
  const headers: Record<string, string> = {};
  const reply = { header: (name: string, value: string) => (headers[name] = value) };
  let answer: boolean | ProblemException;
  try {
    answer = guard.canActivate(new ExecutionContextHost([request, reply]));
  } catch (error) {
    if (!(error instanceof ProblemException)) throw error;
    answer = error;
  }
  return { answer, client: request.client, headers };
}

describe('ApiKeyGuard', () => {
  it.each([['Bearer hush'], ['bearer hush']])('lets in who has a key, and knows who it is: %s', (authorization) => {
    expect(ask(new ApiKeyGuard(keys), authorization)).toEqual({ answer: true, client: 'shop', headers: {} });
  });

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['another key', 'Bearer other'],
    ['no key', 'Bearer '],
    ['a key with something behind it', 'Bearer hush hush'],
    ['a key with something before it', 'x Bearer hush'],
    ['the key alone', 'hush'],
    ['another scheme', 'Basic hush'],
  ])('refuses %s, and says what it wants', (_what, authorization) => {
    const { answer, client, headers } = ask(new ApiKeyGuard(keys), authorization);
    expect(answer).toBeInstanceOf(ProblemException);
    expect((answer as ProblemException).problem).toMatchObject({ status: 401, code: 'KEY_REQUIRED' });
    expect(client).toBeUndefined();
    expect(headers).toEqual({ 'www-authenticate': 'Bearer' });
  });

  it.each([[undefined], ['Bearer anything']])('lets everybody in where no keys are asked for (%s)', (authorization) => {
    expect(ask(new ApiKeyGuard(undefined), authorization)).toEqual({ answer: true, client: undefined, headers: {} });
  });
});
