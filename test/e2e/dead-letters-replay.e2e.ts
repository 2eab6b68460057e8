import { DiscardTask, HEADER, type ReplayProgress } from '@mercury/messaging';
import { LetterBench } from '../support/letter-bench';
import { bury, contentsOf, numbered } from '../support/letters';
import { Collector } from '../support/until';

const LEVELS_MS = [100];
const DAY_MS = 1_800_000_000_000;

const bench = new LetterBench(LEVELS_MS);

describe('replay', () => {
  it('puts one letter back on its queue, under its id, as a first attempt that says that it is a replay', async () => {
    const client = bench.client();
    const dying = await bench.working(() => {
      throw new DiscardTask('Not today.', { code: 'NOT_TODAY' });
    });
    const id = await client.put({ type: 'report', month: 11 });
    const other = await client.put({ type: 'report', month: 12 });
    await bench.untilDead(2);
    await dying.stop();
    const beforeMs = Date.now();
    expect(await bench.replayed({ ids: [id] })).toEqual([
      { matched: 1, held: 2, truncated: false, replayed: 0, ids: [id] },
      { matched: 1, held: 2, truncated: false, replayed: 1, id },
    ]);
    const worker = await bench.working(() => undefined);
    const [task] = await worker.seen.atLeast(1);
    expect(task).toMatchObject({ id, type: 'report', attempt: 1, body: { type: 'report', month: 11 } });
    expect(task?.headers).toMatchObject({ 'x-replays': 1 });
    expect(task?.headers[HEADER.replayedAtMs]).toBeGreaterThanOrEqual(beforeMs);
    expect(Object.keys(task?.headers ?? {}).filter((name) => /^x-(error|death|dead|origin)/.test(name))).toEqual([]);
    expect((await bench.letters.list()).letters.map((letter) => letter.id)).toEqual([other]);
  });

  it('that fails again is a new letter with the whole history', async () => {
    await bench.working((task) => {
      throw new Error(`attempt ${task.attempt}`);
    }, 2);
    const id = await bench.client().put({ type: 'report' });
    for (let replays = 0; replays < 3; replays++) {
      await bench.untilDead(1);
      expect((await bench.letters.get(id)).letters).toMatchObject([{ replays, attempt: 2 }]);
      if (replays < 2) await bench.replayed({ ids: [id] });
    }
    const {
      letters: [letter],
    } = await bench.letters.get(id);
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
    await bury(bench.rabbit, bench.queueName, [...numbered(40, DAY_MS).reverse(), { id: 'other', code: 'OTHER' }]);
    const arrivals = new Collector<number>();
    const worker = await bench.working(() => arrivals.push(performance.now()));
    const reports = await bench.replayed({ code: 'GONE' }, { ratePerSecond: 20 });
    expect(reports.map((report) => report.replayed)).toEqual(Array.from({ length: 41 }, (_, number) => number));
    const seen = await worker.seen.atLeast(40);
    expect(seen.map(({ id }) => id)).toEqual(numbered(40, DAY_MS).map(({ id }) => id));
    const times = await arrivals.atLeast(40);
    const tookMs = times[39]! - times[0]!;
    process.stderr.write(`40 letters at 20/s took ${Math.round(tookMs)} ms\n`);
    // 39 turns of 50 ms; the upper bound allows for a busy machine.
    expect(tookMs).toBeGreaterThan(1_850);
    expect(tookMs).toBeLessThan(3_500);
    // No second has more than its share: the pace is even.
    for (let first = 0; first + 21 < times.length; first++)
      expect(times[first + 21]! - times[first]!).toBeGreaterThan(800);
    expect((await bench.letters.list()).letters.map(({ id }) => id)).toEqual(['other']);
  });

  it('only tells what it would do in a dry run', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(3, DAY_MS));
    const before = await contentsOf(bench.rabbit, bench.deadQueue);
    expect(await bench.replayed({ fromMs: DAY_MS + 1 }, { dryRun: true })).toEqual([
      { matched: 2, held: 3, truncated: false, replayed: 0, ids: ['letter-1', 'letter-2'] },
    ]);
    expect(await contentsOf(bench.rabbit, bench.deadQueue)).toEqual(before);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });

  it('ends between two letters when it is told to, and the others stay', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(10, DAY_MS));
    const stop = new AbortController();
    const reports: ReplayProgress[] = [];
    for await (const report of bench.letters.replay({}, { ratePerSecond: 1_000, signal: stop.signal })) {
      reports.push(report);
      if (report.replayed === 4) stop.abort();
    }
    expect(reports.at(-1)?.replayed).toBe(4);
    expect(await bench.deadDepth()).toBe(6);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(4);
    for await (const report of bench.letters.replay({}, { ratePerSecond: 1_000 })) if (report.replayed === 2) break;
    expect(await bench.deadDepth()).toBe(4);
    expect((await bench.letters.list()).letters.map(({ id }) => id)).toEqual([
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
    await expect(bench.replayed({})).rejects.toMatchObject({
      code: 'ORIGIN_QUEUE_MISSING',
      message: expect.stringContaining('"gone"') as string,
    });
    expect((await bench.letters.list()).letters.map(({ id }) => id)).toEqual(['homeless', 'after']);
    expect(await bench.rabbit.depth(bench.queueName)).toBe(1);
  });

  it('of an id that several letters have takes all of them', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'twin', deadAtMs: DAY_MS, body: '{"number":1}' },
      { id: 'twin', deadAtMs: DAY_MS + 1, body: '{"number":2}' },
    ]);
    expect((await bench.letters.get('twin')).letters.map(({ body }) => body)).toEqual([{ number: 1 }, { number: 2 }]);
    expect((await bench.replayed({ ids: ['twin'] })).at(-1)).toMatchObject({ matched: 2, replayed: 2 });
    expect(await bench.rabbit.depth(bench.queueName)).toBe(2);
  });

  it('of more bodies than it may hold at once goes in portions', async () => {
    const body = `{"fill":"${'x'.repeat(900_000)}"}`;
    await bury(
      bench.rabbit,
      bench.queueName,
      numbered(50, DAY_MS).map((letter) => ({ ...letter, body })),
    );
    const ids = (await bench.replayed({})).slice(1).map(({ id }) => id);
    expect(ids).toEqual(numbered(50, DAY_MS).map(({ id }) => id));
    expect(await bench.rabbit.depth(bench.queueName)).toBe(50);
    expect(await bench.deadDepth()).toBe(0);
  });

  it.each([0, -1, NaN, 1_001])('refuses a rate of %d', async (ratePerSecond) => {
    await expect(bench.replayed({}, { ratePerSecond })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
  });
});

describe('discard', () => {
  it('deletes the letters that match and no others', async () => {
    await bury(bench.rabbit, bench.queueName, [...numbered(5, DAY_MS), { id: 'other', code: 'OTHER' }]);
    expect(await bench.letters.discard({ ids: ['letter-3'] })).toEqual({
      matched: 1,
      held: 6,
      truncated: false,
      discarded: 1,
      ids: ['letter-3'],
    });
    expect(await bench.letters.discard({ code: 'GONE' }, { dryRun: true })).toMatchObject({ matched: 4, discarded: 0 });
    expect(await bench.deadDepth()).toBe(5);
    expect(await bench.letters.discard({ code: 'GONE' })).toMatchObject({ matched: 4, discarded: 4 });
    expect((await bench.letters.list()).letters.map(({ id }) => id)).toEqual(['other']);
  });

  it('refuses to delete everything by an empty filter', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(2, DAY_MS));
    await expect(bench.letters.discard({})).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
    await expect(bench.letters.discard({ ids: undefined })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
    expect(await bench.deadDepth()).toBe(2);
  });
});
