import { WorkerClient } from '../tasks/worker-client';
import { MemoryBroker } from '../testing';
import { fittingCount, portionsOf } from './dead-letter-page';
import { DeadLetters, type DeadLetterDetailPage } from './dead-letters';
import { HeldLetters } from './dead-queue';

const KIB = 1_024;

let broker: MemoryBroker;
let client: WorkerClient;
let letters: DeadLetters;

beforeEach(async () => {
  broker = new MemoryBroker();
  const connections = broker.connect();
  client = new WorkerClient({ connections, queueName: 'reports' });
  letters = new DeadLetters({ connections, queueName: 'reports' });
  client.start();
  await broker.untilIdle();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all([client.stop(), letters.stop()]);
});

/** @param deadAtMs of each letter. */
async function bury(id: string, deadAtMs: number[], bodyBytes = 10): Promise<void> {
  deadAtMs.forEach((atMs, number) => {
    const headers = { 'x-error-code': 'GONE', 'x-dead-at-ms': atMs };
    const body = JSON.stringify({ number, fill: 'x'.repeat(bodyBytes) });
    broker.send('reports.dead', body, { messageId: id, type: 'report', headers });
  });
  await broker.untilIdle();
}

async function pages(id: string, limit?: number): Promise<DeadLetterDetailPage[]> {
  const all: DeadLetterDetailPage[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await letters.get(id, { ...(limit === undefined ? {} : { limit }), ...(cursor ? { cursor } : {}) });
    all.push(page);
    ({ cursor } = page);
    if (cursor === undefined) return all;
  }
}

const numbers = (page: DeadLetterDetailPage) => page.letters.map(({ body }) => (body as { number: number }).number);

describe('the letters of one id', () => {
  it('come on one page when they fit', async () => {
    await bury('a', [1_000, 2_000]);
    await bury('b', [1_500]);
    const [page, ...others] = await pages('a');
    expect(others).toEqual([]);
    expect(page).toMatchObject({ matched: 2, held: 3, truncated: false });
    expect(numbers(page!)).toEqual([0, 1]);
  });

  it('come page by page, the oldest first, with as many as asked for', async () => {
    await bury('a', [3_000, 1_000, 2_000, 4_000, 5_000]);
    expect((await pages('a', 2)).map(numbers)).toEqual([[1, 2], [0, 3], [4]]);
    expect(broker.messages('reports.dead')).toHaveLength(5);
  });

  it('come with at most 1 MiB of bodies at once, however many are asked for', async () => {
    await bury(
      'a',
      Array.from({ length: 25 }, (_, number) => 1_000 + number),
      100 * KIB,
    );
    const all = await pages('a', 1_000);
    expect(all.map(({ letters: found }) => found.length)).toEqual([10, 10, 5]);
    expect(all.flatMap(numbers)).toEqual(Array.from({ length: 25 }, (_, number) => number));
  });

  it('come with at most 1 MiB of headers, too: a history may be longer than a body', async () => {
    const headers = { 'x-error-code': 'GONE', 'x-dead-at-ms': 1_000, 'x-history': 'x'.repeat(100 * KIB) };
    for (let number = 0; number < 12; number++) {
      broker.send('reports.dead', JSON.stringify({ number }), { messageId: 'a', type: 'report', headers });
    }
    await broker.untilIdle();
    expect((await pages('a', 1_000)).map(({ letters: found }) => found.length)).toEqual([10, 2]);
  });

  it('come one by one when each has more', async () => {
    await bury('a', [1_000, 2_000], 1_200 * KIB);
    expect((await pages('a')).map(numbers)).toEqual([[0], [1]]);
  });

  it('come once each although they died at the same time', async () => {
    await bury(
      'a',
      Array.from({ length: 7 }, () => 1_000),
    );
    const all = await pages('a', 3);
    expect(all.map(({ letters: found }) => found.length)).toEqual([3, 3, 1]);
    expect(new Set(all.flatMap(numbers)).size).toBe(7);
  });

  it('may be none', async () => {
    expect(await letters.get('none')).toEqual({ letters: [], matched: 0, held: 0, truncated: false });
  });

  it.each([{ limit: 0 }, { limit: 1_001 }, { limit: 1.5 }, { cursor: 'x' }])('are refused for %j', async (page) => {
    await bury('a', [1_000]);
    await expect(letters.get('a', page)).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
  });
});

it('what fits is one letter at least', () => {
  expect(fittingCount([], 10)).toBe(1);
  expect(fittingCount([11], 10)).toBe(1);
  expect(fittingCount([5, 5, 0, 1], 10)).toBe(3);
});

describe('a replay', () => {
  it('holds portions with at most so many letters and bytes, and one letter at least', () => {
    const sizes = [5, 5, 1, 11, 1, 1, 1, 1];
    const portions = [
      ...portionsOf(
        sizes.map((heldBytes) => ({ heldBytes })),
        3.5,
        10,
      ),
    ];
    expect(portions.map((portion) => portion.map(({ heldBytes }) => heldBytes))).toEqual([
      [5, 5],
      [1],
      [11],
      [1, 1, 1],
      [1],
    ]);
    expect([...portionsOf([{ heldBytes: 1 }, { heldBytes: 1 }], 0.1, 10)]).toHaveLength(2);
  });

  it('holds at most 32 MiB at once also of the letters of one id, and replays each once, the oldest first', async () => {
    await bury(
      'a',
      Array.from({ length: 50 }, (_, number) => 1_000 + number),
      1_000 * KIB,
    );
    const read = jest.spyOn(HeldLetters, 'read');
    for await (const _report of letters.replay({ ids: ['a'] }, { ratePerSecond: 1_000 }));
    await broker.untilIdle();
    const held = await Promise.all(read.mock.results.map(({ value }) => value as Promise<HeldLetters<unknown>>));
    expect(held.map((each) => each.letters.length)).toEqual([50, 32, 18]);
    const order = broker.messages('reports').map(({ body }) => (body as { number: number }).number);
    expect(order).toEqual(Array.from({ length: 50 }, (_, number) => number));
    expect(broker.messages('reports.dead')).toEqual([]);
  });

  it('counts what headers take, too', async () => {
    const history = 'x'.repeat(16 * KIB);
    for (let number = 0; number < 3_000; number++) {
      const headers = { 'x-error-code': 'GONE', 'x-dead-at-ms': 1_000 + number, 'x-history': history };
      broker.send('reports.dead', '{}', { messageId: `a${number}`, type: 'report', headers });
    }
    await broker.untilIdle();
    const read = jest.spyOn(HeldLetters, 'read');
    const ended = new AbortController();
    for await (const { replayed } of letters.replay({}, { ratePerSecond: 1_000, signal: ended.signal })) {
      if (replayed > 0) ended.abort();
    }
    const [, portion] = read.mock.results.map(({ value }) => value as Promise<HeldLetters<unknown>>);
    expect((await portion)?.letters.length).toBeLessThan(2_048);
  });

  it('leaves a letter that died meanwhile, also under an id that it replays', async () => {
    await bury('a', [1_000, 2_000]);
    const replay = letters.replay({ ids: ['a'] }, { ratePerSecond: 1_000 });
    await replay.next();
    await bury('a', [1_500]);
    for await (const _report of replay);
    await broker.untilIdle();
    expect(broker.messages('reports')).toHaveLength(2);
    expect(broker.messages('reports.dead')).toMatchObject([{ headers: { 'x-dead-at-ms': 1_500 } }]);
  });
});
