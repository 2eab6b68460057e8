import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { deadQueueOf } from '@mercury/messaging';
import { startProducer } from '../../apps/producer/src/producer.app';
import { readProducerEnvironment } from '../../apps/producer/src/producer.config';
import { post, problem } from '../support/http';
import { bury } from '../support/letters';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const LEVELS_MS = [100];
const DAY_MS = 1_800_000_000_000;

let rabbit: Rabbit;
let queueName: string;
let app: NestFastifyApplication;
let url: string;

async function start(variables: Record<string, string> = {}): Promise<NestFastifyApplication> {
  return startProducer(
    readProducerEnvironment({
      RABBITMQ_URL: rabbitUrl(),
      PORT: '0',
      LOG_LEVEL: 'silent',
      QUEUE_NAME: queueName,
      RETRY_DELAYS_MS: LEVELS_MS.join(),
      ...variables,
    }),
  );
}

beforeAll(async () => {
  rabbit = await Rabbit.connect();
  queueName = uniqueName('dead-http');
  app = await start();
  url = `${await app.getUrl()}/v1/dead-letters`;
  await until('the producer is ready', async () => (await fetch(`${await app.getUrl()}/health/ready`)).ok);
});

afterAll(async () => {
  await app.close();
  await rabbit.deleteQueues(queueName, LEVELS_MS);
  await rabbit.close();
});

afterEach(() =>
  rabbit.use(async (channel) => {
    await channel.purgeQueue(queueName);
    await channel.purgeQueue(deadQueueOf(queueName));
  }),
);

const buried = (...ids: string[]) =>
  bury(
    rabbit,
    queueName,
    ids.map((id, index) => ({ id, deadAtMs: DAY_MS + index * 1_000 })),
  );
const depth = () => rabbit.depth(deadQueueOf(queueName));
const linesOf = async (response: Response) =>
  (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

describe('GET /v1/dead-letters', () => {
  it('lists what matches, page by page', async () => {
    await buried('a', 'b', 'c');
    const page = (await (await fetch(`${url}?limit=2&type=report&code=GONE&text=month`)).json()) as { cursor: string };
    expect(page).toEqual({
      letters: [
        {
          id: 'a',
          type: 'report',
          code: 'GONE',
          message: 'Gone.',
          attempt: 3,
          replays: 0,
          originQueue: queueName,
          deadAtMs: DAY_MS,
          bodyBytes: 12,
        },
        expect.objectContaining({ id: 'b' }),
      ],
      cursor: expect.any(String) as string,
      matched: 3,
      held: 3,
      truncated: false,
    });
    const next = await fetch(`${url}?limit=2&cursor=${page.cursor}`);
    expect(await next.json()).toMatchObject({ letters: [{ id: 'c' }] });
    const from = new Date(DAY_MS + 1_000).toISOString();
    const ranged = await fetch(`${url}?from=${from}&to=${DAY_MS + 2_000}`);
    expect(await ranged.json()).toMatchObject({ letters: [{ id: 'b' }], matched: 1, held: 3 });
  });

  it.each<[string, string[]]>([
    ['limit=0', ['/limit']],
    ['limit=1001', ['/limit']],
    ['limit=ten', ['/limit']],
    ['from=yesterday&to=2026-13-01', ['/from', '/to']],
    ['type=', ['/type']],
    ['type=a&type=b', ['/type']],
    ['kind=report', ['/kind']],
  ])('points at what is wrong: %s', async (query, pointers) => {
    const answer = await problem(await fetch(`${url}?${query}`));
    expect(answer).toMatchObject({ status: 422, code: 'INVALID_REQUEST' });
    expect(answer.errors?.map(({ pointer }) => pointer).sort()).toEqual(pointers);
  });

  it('refuses a cursor that is none', async () => {
    expect(await problem(await fetch(`${url}?cursor=x`))).toMatchObject({ status: 422, code: 'DEAD_LETTERS_INVALID' });
  });
});

describe('GET /v1/dead-letters/{id}', () => {
  it('shows all letters with this id, with history and body', async () => {
    await buried('a/b', 'a/b', 'other');
    const { letters } = (await (await fetch(`${url}/a%2Fb`)).json()) as { letters: unknown[] };
    const attempts = [{ attempt: 3, code: 'GONE', message: 'Gone.', startedAtMs: DAY_MS }];
    expect(letters).toHaveLength(2);
    expect(letters[0]).toMatchObject({ id: 'a/b', attempts, omittedAttempts: 0, body: { month: 11 } });
  });

  it('shows them page by page', async () => {
    await buried('a', 'a', 'a');
    interface Page {
      letters: { deadAtMs: number }[];
      cursor?: string;
      matched: number;
    }
    const page = (await (await fetch(`${url}/a?limit=2`)).json()) as Page;
    const next = (await (await fetch(`${url}/a?limit=2&cursor=${page.cursor}`)).json()) as Page;
    expect(page).toMatchObject({ matched: 3, letters: [{ deadAtMs: DAY_MS }, { deadAtMs: DAY_MS + 1_000 }] });
    expect(next).toMatchObject({ matched: 3, letters: [{ deadAtMs: DAY_MS + 2_000 }] });
    expect(next.cursor).toBeUndefined();
    const answer = await problem(await fetch(`${url}/a?limit=0&page=2`));
    expect(answer.errors?.map(({ pointer }) => pointer).sort()).toEqual(['/limit', '/page']);
  });

  it('answers 404 to an id that no letter has', async () => {
    expect(await problem(await fetch(`${url}/none`))).toMatchObject({ status: 404, code: 'DEAD_LETTER_NOT_FOUND' });
  });
});

describe('replay', () => {
  it('puts one letter back', async () => {
    await buried('a', 'b');
    const response = await post(`${url}/a/replay`, {});
    expect([response.status, await response.json()]).toEqual([
      200,
      { matched: 1, held: 2, truncated: false, replayed: 1, id: 'a' },
    ]);
    expect((await rabbit.take(queueName))?.properties.messageId).toBe('a');
    expect(await depth()).toBe(1);
    expect(await problem(await post(`${url}/a/replay`, {}))).toMatchObject({ status: 404 });
  });

  it('of all that match reports each letter in a line of its own', async () => {
    await buried('a', 'b', 'c');
    const response = await post(`${url}/replay`, { filter: { from: String(DAY_MS + 1) }, ratePerSecond: 500 });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const sight = { matched: 2, held: 3, truncated: false };
    expect(await linesOf(response)).toEqual([
      { ...sight, replayed: 0, ids: ['b', 'c'] },
      { ...sight, replayed: 1, id: 'b' },
      { ...sight, replayed: 2, id: 'c' },
      { ...sight, replayed: 2, done: true },
    ]);
    expect(await rabbit.depth(queueName)).toBe(2);
  });

  it('changes nothing in a dry run', async () => {
    await buried('a');
    const response = await post(`${url}/replay`, { filter: {}, dryRun: true });
    expect(await linesOf(response)).toMatchObject([{ matched: 1, replayed: 0, ids: ['a'] }, { done: true }]);
    expect(await depth()).toBe(1);
  });

  it('tells in the last line what it failed of', async () => {
    await bury(rabbit, queueName, [{ id: 'homeless', headers: { 'x-origin-queue': 'gone' } }]);
    const lines = await linesOf(await post(`${url}/replay`, { filter: {} }));
    expect(lines).toMatchObject([{ matched: 1 }, { problem: { status: 409, code: 'ORIGIN_QUEUE_MISSING' } }]);
    expect(await problem(await post(`${url}/homeless/replay`, {}))).toMatchObject({
      status: 409,
      code: 'ORIGIN_QUEUE_MISSING',
    });
  });

  it('refuses a second reader meanwhile, and ends when the caller disconnects', async () => {
    await buried('a', 'b', 'c');
    const caller = new AbortController();
    const response = await fetch(`${url}/replay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ filter: {}, ratePerSecond: 0.1 }),
      signal: caller.signal,
    });
    expect(response.status).toBe(200);
    expect(await problem(await fetch(url))).toMatchObject({ status: 409, code: 'DEAD_LETTERS_BUSY' });
    expect(await problem(await post(`${url}/replay`, { filter: {} }))).toMatchObject({ status: 409 });
    await until('the first is replayed', async () => (await rabbit.depth(queueName)) === 1);
    caller.abort();
    await until('the queue can be read again', async () => (await fetch(url)).ok);
    expect(await depth()).toBe(2);
    expect(await rabbit.depth(queueName)).toBe(1);
  });

  it.each<[string, unknown, string[]]>([
    ['no filter', {}, ['/filter']],
    ['a filter that is none', { filter: [] }, ['/filter']],
    ['wrong fields of a filter', { filter: { from: 5, kind: 'x' } }, ['/filter/from', '/filter/kind']],
    ['a rate of 0', { filter: {}, ratePerSecond: 0 }, ['/ratePerSecond']],
    ['a rate that is none', { filter: {}, ratePerSecond: '5', dryRun: 1 }, ['/dryRun', '/ratePerSecond']],
  ])('points at what is wrong: %s', async (_what, body, pointers) => {
    const answer = await problem(await post(`${url}/replay`, body));
    expect(answer).toMatchObject({ status: 422, code: 'INVALID_REQUEST' });
    expect(answer.errors?.map(({ pointer }) => pointer).sort()).toEqual(pointers);
  });
});

describe('discard', () => {
  it('deletes one letter', async () => {
    await buried('a', 'b');
    const response = await fetch(`${url}/a`, { method: 'DELETE' });
    expect(await response.json()).toMatchObject({ matched: 1, discarded: 1, ids: ['a'] });
    expect(await problem(await fetch(`${url}/a`, { method: 'DELETE' }))).toMatchObject({ status: 404 });
    expect(await depth()).toBe(1);
  });

  it('deletes what matches, after a dry run that only tells', async () => {
    await buried('a', 'b');
    const dry = await post(`${url}/discard`, { filter: { code: 'GONE' }, dryRun: true });
    expect(await dry.json()).toMatchObject({ matched: 2, discarded: 0, ids: ['a', 'b'] });
    expect(await depth()).toBe(2);
    expect(await (await post(`${url}/discard`, { filter: { code: 'GONE' } })).json()).toMatchObject({ discarded: 2 });
    expect(await depth()).toBe(0);
  });

  it.each([[{ filter: {} }], [{}], [null]])('never takes %j for everything', async (body) => {
    await buried('a');
    expect(await problem(await post(`${url}/discard`, body))).toMatchObject({ status: 422 });
    expect(await depth()).toBe(1);
  });
});

it('describes itself, and asks for the same key and counts the same requests as everything else', async () => {
  const document = (await (await fetch(`${await app.getUrl()}/openapi.json`)).json()) as {
    paths: Record<string, object>;
  };
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(
      ['', '/{id}', '/replay', '/{id}/replay', '/discard'].map((path) => `/v1/dead-letters${path}`),
    ),
  );
  const folder = mkdtempSync(join(tmpdir(), 'mercury-keys-'));
  writeFileSync(join(folder, 'keys'), `shop:${createHash('sha256').update('open-sesame').digest('hex')}\n`);
  const guarded = await start({ API_KEYS_FILE: join(folder, 'keys'), RATE_LIMIT_PER_MINUTE: '1' });
  try {
    const letters = `${await guarded.getUrl()}/v1/dead-letters`;
    expect(await problem(await fetch(letters))).toMatchObject({ status: 401, code: 'KEY_REQUIRED' });
    const headers = { authorization: 'Bearer open-sesame' };
    expect((await fetch(letters, { headers })).status).toBe(200);
    expect(await problem(await fetch(letters, { headers }))).toMatchObject({ status: 429 });
  } finally {
    await guarded.close();
    rmSync(folder, { recursive: true });
  }
});
