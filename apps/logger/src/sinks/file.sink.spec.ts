import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FileSink } from './file.sink';

describe('the file sink', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mercury-file-sink-'));
    path = join(folder, 'deep/er/events.jsonl');
  });

  afterEach(() => rm(folder, { recursive: true }));

  /** Each line as JSON; fails for a line that is none. */
  async function lines(): Promise<unknown[]> {
    const text = await readFile(path, 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    return text
      .slice(0, -1)
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }

  it('writes one JSON object per line, into a folder that it makes', async () => {
    const sink = new FileSink(['info', 'critical'], path);
    void sink.write('info', { a: 1 });
    void sink.write('critical', { b: { c: [2] } });
    await sink.close();
    const receivedAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown;
    expect(await lines()).toEqual([
      { receivedAt, level: 'info', data: { a: 1 } },
      { receivedAt, level: 'critical', data: { b: { c: [2] } } },
    ]);
  });

  it.each([
    ['a line feed', '\n'],
    ['a carriage return', '\r\n'],
    ['a line separator', '\u2028'],
    ['a forged event', '"}}\n{"level":"critical","data":{"forged":true}}\n'],
    ['half a character', '\ud83d'],
    ['NUL', '\u0000'],
  ])('keeps an event with %s in one line', async (_what, note) => {
    const sink = new FileSink(['info'], path);
    void sink.write('info', { note, [note]: 1 });
    await sink.close();
    expect(await lines()).toEqual([expect.objectContaining({ level: 'info', data: { note, [note]: 1 } })]);
  });

  it('appends to what is there', async () => {
    await mkdir(join(folder, 'deep/er'), { recursive: true });
    await writeFile(path, '{"data":"earlier"}\n');
    for (const data of [{ run: 1 }, { run: 2 }]) {
      const sink = new FileSink(['info'], path);
      void sink.write('info', data);
      await sink.close();
    }
    expect(await lines()).toEqual([
      { data: 'earlier' },
      expect.objectContaining({ data: { run: 1 } }),
      expect.objectContaining({ data: { run: 2 } }),
    ]);
  });

  it('has written every event, in order, once it is closed', async () => {
    const sink = new FileSink(['info'], path);
    for (let number = 0; number < 5_000; number++) void sink.write('info', { number, filler: 'x'.repeat(100) });
    await sink.close();
    const numbers = (await lines()).map((line) => (line as { data: { number: number } }).data.number);
    expect(numbers).toEqual(Array.from({ length: 5_000 }, (_nothing, index) => index));
  });

  it('closes without an event', async () => {
    await new FileSink(['info'], path).close();
    expect(await readFile(path, 'utf8')).toBe('');
  });

  it.each<[string, () => Promise<void>]>([
    ['renamed', () => rename(path, `${path}.1`)],
    ['deleted', () => rm(path)],
    ['deleted with its folder', () => rm(join(folder, 'deep'), { recursive: true })],
  ])('opens its file again when that was %s, and loses none of the events after it', async (_what, rotate) => {
    const sink = new FileSink(['info'], path);
    await sink.write('info', { number: 1 });
    await rotate();
    await sink.write('info', { number: 2 });
    await sink.write('info', { number: 3 });
    await sink.close();
    expect(await lines()).toEqual([2, 3].map((number) => expect.objectContaining({ data: { number } }) as unknown));
  });

  it('holds one event while its target takes none, says so, and goes on when it does', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = new FileSink(['info'], pipe);
    const first = sink.write('info', { filler: 'x'.repeat(1_048_576) });
    let taken = 0;
    const isDone = first.then(() => true);
    expect(await Promise.race([isDone, pause(50).then(() => false)])).toBe(false);
    const buffer = Buffer.alloc(65_536);
    for (let done = false; !done;) {
      try {
        taken += readSync(reader, buffer);
      } catch (error) {
        expect(error).toMatchObject({ code: 'EAGAIN' });
      }
      done = await Promise.race([isDone, pause(1).then(() => false)]);
    }
    await sink.close();
    for (let read = -1; read !== 0;) taken += read = readSync(reader, buffer);
    closeSync(reader);
    expect(taken).toBeGreaterThan(1_048_576);
  });

  it('waits no longer than 3 s for a target that takes nothing when it is closed', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = new FileSink(['info'], pipe);
    void sink.write('info', { filler: 'x'.repeat(1_048_576) });
    const startedAtMs = performance.now();
    await sink.close();
    expect(performance.now() - startedAtMs).toBeLessThan(4_500);
    closeSync(reader);
  });

  it.each([
    [
      'a pipe that nobody reads',
      () => {
        const pipe = join(folder, 'pipe');
        execFileSync('mkfifo', [pipe]);
        return pipe;
      },
    ],
    ['a name that is too long', () => join(folder, 'x'.repeat(300))],
    ['in /proc', () => '/proc/mercury/events.jsonl'],
    ['a folder', () => folder],
    ['below a file', () => join(path, 'no.jsonl')],
  ])('refuses at once what it cannot open: %s', async (_what, place) => {
    await new FileSink(['info'], path).close();
    expect(() => new FileSink(['info'], place())).toThrow(/LOG_FILE cannot be opened/);
  });

  describe('on a full disk', () => {
    let stderr: jest.SpiedFunction<typeof process.stderr.write>;
    let told: Promise<unknown>;

    beforeEach(() => {
      stderr = jest.spyOn(process.stderr, 'write');
      told = new Promise((resolve) => stderr.mockImplementation((text) => (resolve(text), true)));
    });

    afterEach(() => stderr.mockRestore());

    it('says why, on stderr and to readiness, and closes all the same', async () => {
      const sink = new FileSink(['info'], '/dev/full');
      void sink.write('info', { disk: 'full' });
      expect(await told).toMatch(/^Events cannot be written to the log file: ENOSPC/);
      expect(`${sink.problem}\n`).toBe(await told);
      await expect(sink.close()).resolves.toBeUndefined();
    }, 5_000);
  });
});
