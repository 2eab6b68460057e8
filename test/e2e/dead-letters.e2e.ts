import { DeadLetters, deadQueueOf, DiscardTask, HEADER, type ReplayProgress, type Task } from '@mercury/messaging';
import { bury, contentsOf, type Letter } from '../support/letters';
import { rabbitUrl } from '../support/rabbit';
import { Collector, until } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [100];
const DAY_MS = 1_800_000_000_000;

const bench = new Workbench(LEVELS_MS);
let letters: DeadLetters;
let deadQueue: string;

beforeEach(async () => {
  deadQueue = deadQueueOf(bench.queueName);
  await declared();
  letters = reader();
});
afterEach(() => letters.stop());

/** Has a client declare the queue and all that belongs to it. */
async function declared(): Promise<void> {
  await bench.client().put({ type: 'first' });
  await bench.rabbit.take(bench.queueName);
}

function reader(): DeadLetters {
  return new DeadLetters({ rabbitUrl: rabbitUrl(), queueName: bench.queueName });
}

const numbered = (count: number): Letter[] =>
  Array.from({ length: count }, (_, number) => ({ id: `letter-${number}`, deadAtMs: DAY_MS + number }));

const inQueue = (count: number) => until(`${count} dead letters`, async () => (await depth()) === count);
const depth = () => bench.rabbit.depth(deadQueue);

async function replayed(
  filter: Parameters<DeadLetters['replay']>[0],
  options?: Parameters<DeadLetters['replay']>[1],
): Promise<ReplayProgress[]> {
  const reports: ReplayProgress[] = [];
  for await (const report of letters.replay(filter, options)) reports.push(report);
  return reports;
}

/** A worker whose tasks all end as told. */
async function working(work: (task: Task) => unknown, maxAttempts = 1) {
  const worker = bench.worker(work, { maxAttempts });
  await worker.start();
  return worker;
}

describe('a dead letter', () => {
  it('tells each attempt: when, how long, by whom, and where it failed', async () => {
    const beganMs = Date.now();
    await working((task) => {
      throw task.attempt === 1 ? new TypeError('no such report') : new DiscardTask('Gave up.', { code: 'GAVE_UP' });
    }, 3);
    const id = await bench.client().put({ type: 'report', month: 11 });
    await inQueue(1);
    const [letter] = await letters.get(id);
    expect(letter).toMatchObject({
      id,
      type: 'report',
      code: 'GAVE_UP',
      message: 'Gave up.',
      attempt: 2,
      replays: 0,
      originQueue: bench.queueName,
      body: { type: 'report', month: 11 },
      omittedAttempts: 0,
      attempts: [
        { attempt: 1, code: 'HANDLER_FAILED', message: 'TypeError: no such report' },
        { attempt: 2, code: 'GAVE_UP', message: 'Gave up.' },
      ],
    });
    for (const { startedAtMs, durationMs, worker, stack } of letter!.attempts) {
      expect(startedAtMs).toBeGreaterThanOrEqual(beganMs - 1);
      expect(durationMs).toBeLessThan(10_000);
      expect(worker).toMatch(new RegExp(`:${process.pid}$`));
      expect(stack?.[0]).toContain('dead-letters.e2e.ts');
    }
  });

  it('is told by its x-death when the broker made it, and can be replayed', async () => {
    await bench.rabbit.send(bench.queueName, '{"type":"report","bare":true}');
    await bench.rabbit.send(bench.queueName, '{"type":"report"}', { messageId: 'with-id', type: 'report' });
    await until(
      'the broker gives up',
      async () => {
        if ((await depth()) === 2) return true;
        await bench.rabbit.dieOver(bench.queueName, (await bench.rabbit.depth(bench.queueName)) ?? 0, 1);
        return false;
      },
      25_000,
    );
    const { letters: listed } = await letters.list();
    expect(listed).toHaveLength(2);
    for (const letter of listed) {
      expect(letter).toMatchObject({
        code: 'DELIVERY_LIMIT',
        type: 'report',
        originQueue: bench.queueName,
        attempt: 1,
      });
      expect(Math.abs(Date.now() - (letter.deadAtMs ?? 0))).toBeLessThan(60_000);
    }
    const nameless = listed.find(({ id }) => id !== 'with-id');
    expect(nameless?.id).toMatch(/^nameless-[\da-f]{32}$/);
    const worker = await working(() => undefined);
    await replayed({ ids: listed.map(({ id }) => id) });
    const seen = await worker.seen.atLeast(2);
    expect(seen.map(({ id }) => id).sort()).toEqual([nameless?.id, 'with-id'].sort());
    expect(String(seen[0]?.headers[HEADER.history])).toContain('DELIVERY_LIMIT');
    expect(await depth()).toBe(0);
  });

  it('of an older version, or with garbage in place of a history, is told and settled like any other', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'old', deadAtMs: DAY_MS, headers: { 'x-history': '[{"attempts":' } },
    ]);
    expect(await letters.get('old')).toMatchObject([
      { attempts: [{ attempt: 3, code: 'GONE', message: 'Gone.', startedAtMs: DAY_MS }] },
    ]);
    await working(() => {
      throw new DiscardTask('Again.');
    });
    await replayed({ ids: ['old'] });
    await inQueue(1);
    expect((await letters.get('old'))[0]?.attempts.map(({ code }) => code)).toEqual(['GONE', 'DISCARDED']);
  });
});

describe('list', () => {
  it('loses and changes nothing, however often', async () => {
    await bury(bench.rabbit, bench.queueName, [
      ...numbered(40),
      { id: 'bytes', body: Buffer.from([0, 255, 128]), headers: { 'x-history': 'garbage', custom: [1, { a: 'b' }] } },
    ]);
    const before = await contentsOf(bench.rabbit, deadQueue);
    await inQueue(41);
    for (let time = 0; time < 50; time++) expect((await letters.list()).held).toBe(41);
    expect(await contentsOf(bench.rabbit, deadQueue)).toEqual(before);
    await inQueue(41);
  });

  it('finds by type, code, time and text, and says how many it looked at', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'a', type: 'report', code: 'GONE', deadAtMs: DAY_MS, body: '{"name":"Zoë"}' },
      { id: 'b', type: 'invoice', code: 'GONE', deadAtMs: DAY_MS + 1 },
      { id: 'c', type: 'report', code: 'LATE', deadAtMs: DAY_MS + 2 },
      { id: 'd', type: 'report', code: 'LATE', body: '{"name":"zoe"}' },
    ]);
    const found = async (filter: Parameters<DeadLetters['list']>[0]) =>
      (await letters.list(filter)).letters.map(({ id }) => id);
    expect(await found({})).toEqual(['d', 'a', 'b', 'c']);
    expect(await found({ type: 'invoice' })).toEqual(['b']);
    expect(await found({ type: 'report', code: 'LATE' })).toEqual(['d', 'c']);
    expect(await found({ fromMs: DAY_MS + 1 })).toEqual(['b', 'c']);
    expect(await found({ fromMs: DAY_MS, toMs: DAY_MS + 2 })).toEqual(['a', 'b']);
    expect(await found({ text: 'Zoë' })).toEqual(['a']);
    expect(await found({ ids: ['c', 'x'] })).toEqual(['c']);
    expect(await letters.list({ code: 'NONE' })).toEqual({ letters: [], matched: 0, held: 4, truncated: false });
  });

  it('goes on at its cursor, also among letters of the same time and id', async () => {
    await bury(bench.rabbit, bench.queueName, [
      ...['b', 'c', 'a', 'c', 'c'].map((id) => ({ id, deadAtMs: DAY_MS })),
      { id: 'z', deadAtMs: DAY_MS - 1 },
      { id: 'timeless' },
    ]);
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await letters.list({}, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      pages.push(page.letters.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(pages).toEqual([['timeless', 'z'], ['a', 'b'], ['c', 'c'], ['c']]);
  });

  it('refuses a second reader of the same queue, in the same process or another, until the first has ended', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(3));
    const other = reader();
    const replay = letters.replay({}, { ratePerSecond: 0.01 });
    await replay.next();
    await expect(letters.list()).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
    await expect(other.list()).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
    await expect(other.discard({ ids: ['letter-1'] })).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
    await replay.return();
    expect((await other.list()).matched).toBe(3);
    expect((await letters.list()).matched).toBe(3);
    await other.stop();
  });

  it('sees every letter although a worker dead-letters new ones meanwhile', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(200));
    await working(() => {
      throw new DiscardTask('no');
    });
    const client = bench.client();
    const putting = Promise.all(Array.from({ length: 100 }, () => client.put({ type: 'report' })));
    for (let time = 0; time < 10; time++) {
      const { letters: seen } = await letters.list({}, { limit: 1_000 });
      expect(new Set(seen.map(({ id }) => id).filter((id) => id.startsWith('letter-'))).size).toBe(200);
    }
    await putting;
    await inQueue(300);
  });

  it('says what is wrong: no such queue, no such cursor, no such limit', async () => {
    const lost = new DeadLetters({ rabbitUrl: rabbitUrl(), queueName: `${bench.queueName}-none` });
    await expect(lost.list()).rejects.toMatchObject({ code: 'DEAD_QUEUE_MISSING' });
    await lost.stop();
    await bury(bench.rabbit, bench.queueName, numbered(1));
    await expect(letters.list({}, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
    await expect(letters.list({}, { limit: 0 })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
    const away = new DeadLetters({ rabbitUrl: 'amqp://127.0.0.1:1', queueName: 'any', publishTimeoutMs: 300 });
    away.events.on('problem', () => undefined);
    await expect(away.list()).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
    await away.stop();
    await expect(away.list()).rejects.toMatchObject({ code: 'STOPPED' });
  });

  it('looks at 10,000 letters and says that there are more, within bounded memory', async () => {
    const fill = 'x'.repeat(20_000);
    for (let part = 0; part < 11; part++) {
      const thousand = Array.from({ length: 1_000 }, (_, number) => ({
        id: `letter-${part * 1_000 + number}`,
        deadAtMs: DAY_MS + part * 1_000 + number,
        body: `{"number":${part * 1_000 + number},"fill":"${fill}"}`,
      }));
      await bury(bench.rabbit, bench.queueName, thousand);
    }
    await inQueue(11_000);
    const memory = new Collector<number>();
    const watch = setInterval(() => memory.push(process.memoryUsage().rss), 20);
    const beforeBytes = process.memoryUsage().rss;
    const startedAtMs = performance.now();
    const page = await letters.list({ text: '"number":9' });
    const tookMs = performance.now() - startedAtMs;
    clearInterval(watch);
    expect(page).toMatchObject({ matched: 1_111, held: 10_000, truncated: true });
    expect(page.letters[0]?.id).toBe('letter-9');
    const grewMb = (Math.max(...memory.values) - beforeBytes) / 1_048_576;
    process.stderr.write(
      `10,000 letters of 20 kB read in ${Math.round(tookMs)} ms; memory grew by ${Math.round(grewMb)} MB\n`,
    );
    // All bodies are 200 MB.
    expect(grewMb).toBeLessThan(150);
    await inQueue(11_000);
  }, 120_000);
});

describe('replay', () => {
  it('puts one letter back on its queue, under its id, as a first attempt that says that it is a replay', async () => {
    const client = bench.client();
    const dying = await working(() => {
      throw new DiscardTask('Not today.', { code: 'NOT_TODAY' });
    });
    const id = await client.put({ type: 'report', month: 11 });
    const other = await client.put({ type: 'report', month: 12 });
    await inQueue(2);
    await dying.stop();
    const beforeMs = Date.now();
    expect(await replayed({ ids: [id] })).toEqual([
      { matched: 1, held: 2, truncated: false, replayed: 0, ids: [id] },
      { matched: 1, held: 2, truncated: false, replayed: 1, id },
    ]);
    const worker = await working(() => undefined);
    const [task] = await worker.seen.atLeast(1);
    expect(task).toMatchObject({ id, type: 'report', attempt: 1, body: { type: 'report', month: 11 } });
    expect(task?.headers).toMatchObject({ 'x-replays': 1 });
    expect(task?.headers[HEADER.replayedAtMs]).toBeGreaterThanOrEqual(beforeMs);
    expect(Object.keys(task?.headers ?? {}).filter((name) => /^x-(error|death|dead|origin)/.test(name))).toEqual([]);
    expect((await letters.list()).letters.map((letter) => letter.id)).toEqual([other]);
  });

  it('that fails again is a new letter with the whole history', async () => {
    await working((task) => {
      throw new Error(`attempt ${task.attempt}`);
    }, 2);
    const id = await bench.client().put({ type: 'report' });
    for (let replays = 0; replays < 3; replays++) {
      await inQueue(1);
      expect(await letters.get(id)).toMatchObject([{ replays, attempt: 2 }]);
      if (replays < 2) await replayed({ ids: [id] });
    }
    const [letter] = await letters.get(id);
    expect(letter?.attempts.map(({ attempt, replay = 0 }) => [replay, attempt])).toEqual([
      [0, 1],
      [0, 2],
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ]);
    expect(letter?.code).toBe('HANDLER_FAILED');
  });

  it('puts all that match, the oldest first, evenly at the given rate', async () => {
    await bury(bench.rabbit, bench.queueName, [...numbered(40).reverse(), { id: 'other', code: 'OTHER' }]);
    const arrivals = new Collector<number>();
    const worker = await working(() => arrivals.push(performance.now()));
    const reports = await replayed({ code: 'GONE' }, { ratePerSecond: 20 });
    expect(reports.map((report) => report.replayed)).toEqual(Array.from({ length: 41 }, (_, number) => number));
    const seen = await worker.seen.atLeast(40);
    expect(seen.map(({ id }) => id)).toEqual(numbered(40).map(({ id }) => id));
    const times = await arrivals.atLeast(40);
    const tookMs = times[39]! - times[0]!;
    process.stderr.write(`40 letters at 20/s took ${Math.round(tookMs)} ms\n`);
    // 39 turns of 50 ms; the upper bound allows for a busy machine.
    expect(tookMs).toBeGreaterThan(1_850);
    expect(tookMs).toBeLessThan(3_500);
    // No second has more than its share: the pace is even.
    for (let first = 0; first + 21 < times.length; first++)
      expect(times[first + 21]! - times[first]!).toBeGreaterThan(800);
    expect((await letters.list()).letters.map(({ id }) => id)).toEqual(['other']);
  });

  it('only tells what it would do in a dry run', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(3));
    const before = await contentsOf(bench.rabbit, deadQueue);
    expect(await replayed({ fromMs: DAY_MS + 1 }, { dryRun: true })).toEqual([
      { matched: 2, held: 3, truncated: false, replayed: 0, ids: ['letter-1', 'letter-2'] },
    ]);
    expect(await contentsOf(bench.rabbit, deadQueue)).toEqual(before);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });

  it('ends between two letters when it is told to, and the others stay', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(10));
    const stop = new AbortController();
    const reports: ReplayProgress[] = [];
    for await (const report of letters.replay({}, { ratePerSecond: 1_000, signal: stop.signal })) {
      reports.push(report);
      if (report.replayed === 4) stop.abort();
    }
    expect(reports.at(-1)?.replayed).toBe(4);
    expect(await depth()).toBe(6);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(4);
    for await (const report of letters.replay({}, { ratePerSecond: 1_000 })) if (report.replayed === 2) break;
    expect(await depth()).toBe(4);
    expect((await letters.list()).letters.map(({ id }) => id)).toEqual([
      'letter-6',
      'letter-7',
      'letter-8',
      'letter-9',
    ]);
  });

  it('leaves a letter where it is when its queue is gone, and says so', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'here', deadAtMs: DAY_MS },
      { id: 'homeless', deadAtMs: DAY_MS + 1, headers: { 'x-origin-queue': 'gone' } },
      { id: 'after', deadAtMs: DAY_MS + 2 },
    ]);
    await expect(replayed({})).rejects.toMatchObject({
      code: 'ORIGIN_QUEUE_MISSING',
      message: expect.stringContaining('"gone"') as string,
    });
    expect((await letters.list()).letters.map(({ id }) => id)).toEqual(['homeless', 'after']);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(1);
  });

  it('of an id that several letters have takes all of them', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'twin', deadAtMs: DAY_MS, body: '{"number":1}' },
      { id: 'twin', deadAtMs: DAY_MS + 1, body: '{"number":2}' },
    ]);
    expect((await letters.get('twin')).map(({ body }) => body)).toEqual([{ number: 1 }, { number: 2 }]);
    expect((await replayed({ ids: ['twin'] })).at(-1)).toMatchObject({ matched: 2, replayed: 2 });
    expect(await bench.rabbit.depth(bench.queueName)).toBe(2);
  });

  it('of more bodies than it may hold at once goes in portions', async () => {
    const body = `{"fill":"${'x'.repeat(900_000)}"}`;
    await bury(
      bench.rabbit,
      bench.queueName,
      numbered(50).map((letter) => ({ ...letter, body })),
    );
    const ids = (await replayed({})).slice(1).map(({ id }) => id);
    expect(ids).toEqual(numbered(50).map(({ id }) => id));
    expect(await bench.rabbit.depth(bench.queueName)).toBe(50);
    expect(await depth()).toBe(0);
  });

  it.each([0, -1, NaN, 10_001])('refuses a rate of %d', async (ratePerSecond) => {
    await expect(replayed({}, { ratePerSecond })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
  });
});

describe('discard', () => {
  it('deletes the letters that match and no others', async () => {
    await bury(bench.rabbit, bench.queueName, [...numbered(5), { id: 'other', code: 'OTHER' }]);
    expect(await letters.discard({ ids: ['letter-3'] })).toEqual({
      matched: 1,
      held: 6,
      truncated: false,
      discarded: 1,
      ids: ['letter-3'],
    });
    expect(await letters.discard({ code: 'GONE' }, { dryRun: true })).toMatchObject({ matched: 4, discarded: 0 });
    expect(await depth()).toBe(5);
    expect(await letters.discard({ code: 'GONE' })).toMatchObject({ matched: 4, discarded: 4 });
    expect((await letters.list()).letters.map(({ id }) => id)).toEqual(['other']);
  });

  it('refuses to delete everything by an empty filter', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(2));
    await expect(letters.discard({})).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
    await expect(letters.discard({ ids: undefined })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
    expect(await depth()).toBe(2);
  });
});
