import { PassThrough, Readable } from 'node:stream';
import { readBytes } from './read-bytes';

const ignored = () => undefined;
const problem = (status: number, code: string) => ({ problem: { status, code } });

describe('readBytes', () => {
  it.each<[string, Buffer[]]>([
    ['nothing', []],
    ['one piece', [Buffer.from('{}')]],
    ['several pieces, the last not full', [Buffer.alloc(30_000, 'a'), Buffer.alloc(50_000, 'b'), Buffer.from('c')]],
    ['as much as there may be', [Buffer.alloc(100_000, 'a')]],
  ])('has all of %s', async (_what, pieces) => {
    const bytes = await readBytes(Readable.from(pieces, { objectMode: false }), 100_000, ignored);
    expect(bytes.equals(Buffer.concat(pieces))).toBe(true);
  });

  it('grows with what comes, and tells how much', async () => {
    const grown: number[] = [];
    const pieces = Array.from({ length: 10 }, () => Buffer.alloc(10_000));
    await readBytes(Readable.from(pieces), 100_000, (bytes) => grown.push(bytes));
    expect(grown).toEqual([32_768, 34_464]);
  });

  it('ends when there is no room', async () => {
    const noRoom = () => {
      throw new Error('no room');
    };
    await expect(readBytes(Readable.from([Buffer.alloc(40_000)]), 100_000, noRoom)).rejects.toThrow('no room');
  });

  it('refuses what is too large once all of it has come, and keeps none of it', async () => {
    const body = new PassThrough();
    let isRefused = false;
    const reading = readBytes(body, 100_000, ignored).catch((error: unknown) => {
      isRefused = true;
      throw error;
    });
    body.write(Buffer.alloc(150_000));
    await new Promise(setImmediate);
    expect(isRefused).toBe(false);
    body.end();
    await expect(reading).rejects.toMatchObject(problem(413, 'BODY_TOO_LARGE'));
  });

  it('does not wait for the end of what has none', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(1_048_576);
      })(),
    );
    await expect(readBytes(endless, 100_000, ignored)).rejects.toMatchObject(problem(413, 'BODY_TOO_LARGE'));
  });

  it('refuses what ends early', async () => {
    const body = new PassThrough();
    const reading = readBytes(body, 100_000, ignored);
    body.write('{');
    body.destroy(new Error('aborted'));
    await expect(reading).rejects.toMatchObject(problem(400, 'MALFORMED_REQUEST'));
  });

  it('refuses what comes in single bytes, but not what is short', async () => {
    const bytes = (count: number) => Readable.from(Array.from({ length: count }, () => Buffer.from('a')));
    expect(await readBytes(bytes(8_000), 100_000, ignored)).toHaveLength(8_000);
    await expect(readBytes(bytes(9_000), 100_000, ignored)).rejects.toMatchObject(problem(400, 'MALFORMED_REQUEST'));
  });
});
