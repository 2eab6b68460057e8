import { DeadLetters, DiscardTask, HEADER } from '@mercury/messaging';
import { LetterBench } from '../support/letter-bench';
import { bury, contentsOf, numbered } from '../support/letters';
import { rabbitUrl } from '../support/rabbit';
import { Collector, until } from '../support/until';

const LEVELS_MS = [100];
const DAY_MS = 1_800_000_000_000;

const bench = new LetterBench(LEVELS_MS);

describe('a dead letter', () => {
  it('tells each attempt: when, how long, by whom, and where it failed', async () => {
    const beganMs = Date.now();
    await bench.working((task) => {
      throw task.attempt === 1 ? new TypeError('no such report') : new DiscardTask('Gave up.', { code: 'GAVE_UP' });
    }, 3);
    const id = await bench.client().put({ type: 'report', month: 11 });
    await bench.untilDead(1);
    const {
      letters: [letter],
    } = await bench.letters.get(id);
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
        if ((await bench.deadDepth()) === 2) return true;
        await bench.rabbit.dieOver(bench.queueName, (await bench.rabbit.depth(bench.queueName)) ?? 0, 1);
        return false;
      },
      25_000,
    );
    const { letters: listed } = await bench.letters.list();
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
    const worker = await bench.working(() => undefined);
    await bench.replayed({ ids: listed.map(({ id }) => id) });
    const seen = await worker.seen.atLeast(2);
    expect(seen.map(({ id }) => id).sort()).toEqual([nameless?.id, 'with-id'].sort());
    expect(String(seen[0]?.headers[HEADER.history])).toContain('DELIVERY_LIMIT');
    expect(await bench.deadDepth()).toBe(0);
  });

  it('of an older version, or with garbage in place of a history, is told and settled like any other', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'old', deadAtMs: DAY_MS, headers: { 'x-history': '[{"attempts":' } },
    ]);
    expect((await bench.letters.get('old')).letters).toMatchObject([
      { attempts: [{ attempt: 3, code: 'GONE', message: 'Gone.', startedAtMs: DAY_MS }] },
    ]);
    await bench.working(() => {
      throw new DiscardTask('Again.');
    });
    await bench.replayed({ ids: ['old'] });
    await bench.untilDead(1);
    expect((await bench.letters.get('old')).letters[0]?.attempts.map(({ code }) => code)).toEqual([
      'GONE',
      'DISCARDED',
    ]);
  });
});

describe('list', () => {
  it('loses and changes nothing, however often', async () => {
    await bury(bench.rabbit, bench.queueName, [
      ...numbered(40, DAY_MS),
      { id: 'bytes', body: Buffer.from([0, 255, 128]), headers: { 'x-history': 'garbage', custom: [1, { a: 'b' }] } },
    ]);
    const before = await contentsOf(bench.rabbit, bench.deadQueue);
    await bench.untilDead(41);
    for (let time = 0; time < 50; time++) expect((await bench.letters.list()).held).toBe(41);
    expect(await contentsOf(bench.rabbit, bench.deadQueue)).toEqual(before);
    await bench.untilDead(41);
  });

  it('finds by type, code, time and text, and says how many it looked at', async () => {
    await bury(bench.rabbit, bench.queueName, [
      { id: 'a', type: 'report', code: 'GONE', deadAtMs: DAY_MS, body: '{"name":"Zoë"}' },
      { id: 'b', type: 'invoice', code: 'GONE', deadAtMs: DAY_MS + 1 },
      { id: 'c', type: 'report', code: 'LATE', deadAtMs: DAY_MS + 2 },
      { id: 'd', type: 'report', code: 'LATE', body: '{"name":"zoe"}' },
    ]);
    const found = async (filter: Parameters<DeadLetters['list']>[0]) =>
      (await bench.letters.list(filter)).letters.map(({ id }) => id);
    expect(await found({})).toEqual(['d', 'a', 'b', 'c']);
    expect(await found({ type: 'invoice' })).toEqual(['b']);
    expect(await found({ type: 'report', code: 'LATE' })).toEqual(['d', 'c']);
    expect(await found({ fromMs: DAY_MS + 1 })).toEqual(['b', 'c']);
    expect(await found({ fromMs: DAY_MS, toMs: DAY_MS + 2 })).toEqual(['a', 'b']);
    expect(await found({ text: 'Zoë' })).toEqual(['a']);
    expect(await found({ ids: ['c', 'x'] })).toEqual(['c']);
    expect(await bench.letters.list({ code: 'NONE' })).toEqual({ letters: [], matched: 0, held: 4, truncated: false });
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
      const page = await bench.letters.list({}, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      pages.push(page.letters.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(pages).toEqual([['timeless', 'z'], ['a', 'b'], ['c', 'c'], ['c']]);
  });

  it('refuses a second reader of the same queue, in the same process or another, until the first has ended', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(3, DAY_MS));
    const other = bench.reader();
    const replay = bench.letters.replay({}, { ratePerSecond: 0.1 });
    await replay.next();
    await expect(bench.letters.list()).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
    await expect(other.list()).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
    await expect(other.discard({ ids: ['letter-1'] })).rejects.toMatchObject({ code: 'DEAD_LETTERS_BUSY' });
    await replay.return();
    expect((await other.list()).matched).toBe(3);
    expect((await bench.letters.list()).matched).toBe(3);
    await other.stop();
  });

  it('sees every letter although a worker dead-letters new ones meanwhile', async () => {
    await bury(bench.rabbit, bench.queueName, numbered(200, DAY_MS));
    await bench.working(() => {
      throw new DiscardTask('no');
    });
    const client = bench.client();
    const putting = Promise.all(Array.from({ length: 100 }, () => client.put({ type: 'report' })));
    for (let time = 0; time < 10; time++) {
      const { letters: seen } = await bench.letters.list({}, { limit: 1_000 });
      expect(new Set(seen.map(({ id }) => id).filter((id) => id.startsWith('letter-'))).size).toBe(200);
    }
    await putting;
    await bench.untilDead(300);
  });

  it('says what is wrong: no such queue, no such cursor, no such limit', async () => {
    const lost = new DeadLetters({ rabbitUrl: rabbitUrl(), queueName: `${bench.queueName}-none` });
    await expect(lost.list()).rejects.toMatchObject({ code: 'DEAD_QUEUE_MISSING' });
    await lost.stop();
    await bury(bench.rabbit, bench.queueName, numbered(1, DAY_MS));
    await expect(bench.letters.list({}, { cursor: 'nonsense' })).rejects.toMatchObject({
      code: 'DEAD_LETTERS_INVALID',
    });
    await expect(bench.letters.list({}, { limit: 0 })).rejects.toMatchObject({ code: 'DEAD_LETTERS_INVALID' });
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
    await bench.untilDead(11_000);
    const memory = new Collector<number>();
    const watch = setInterval(() => memory.push(process.memoryUsage().rss), 20);
    const beforeBytes = process.memoryUsage().rss;
    const startedAtMs = performance.now();
    const page = await bench.letters.list({ text: '"number":9' });
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
    await bench.untilDead(11_000);
  }, 120_000);
});
