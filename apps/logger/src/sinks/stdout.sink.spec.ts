import { PassThrough } from 'node:stream';
import { StdoutSink } from './stdout.sink';

/** The C0 controls, delete and the C1 controls. */
const CONTROLS = Array.from({ length: 0xa0 }, (_nothing, code) => String.fromCharCode(code))
  .filter((char) => char < ' ' || char > '~')
  .join('');

/** The lines that a sink wrote. */
async function written(write: (sink: StdoutSink) => Promise<void>): Promise<string> {
  const stream = new PassThrough();
  const sink = new StdoutSink(['info', 'critical'], stream);
  await write(sink);
  await sink.close();
  return (stream.read() as Buffer | null)?.toString('utf8') ?? '';
}

describe('the stdout sink', () => {
  it('writes one line per event: when, which level, what', async () => {
    const lines = await written(async (sink) => {
      await sink.write('info', { user: 'Zoë' });
      await sink.write('critical', { disk: 'full' });
    });
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    expect(lines).toMatch(new RegExp(`^${time} info     {"user":"Zoë"}\n${time} critical {"disk":"full"}\n$`));
  });

  it('escapes every control character, so that it can be read back', async () => {
    const lines = await written((sink) => sink.write('info', { [CONTROLS]: CONTROLS }));
    expect([...lines.slice(0, -1)].filter((char) => CONTROLS.includes(char))).toEqual([]);
    const [, json] = /({.*})\n$/.exec(lines) ?? [];
    expect(JSON.parse(json ?? '')).toEqual({ [CONTROLS]: CONTROLS });
  });

  it.each([
    ['a line feed', '\n'],
    ['a line separator', '\u2028'],
    ['a paragraph separator', '\u2029'],
    ['a next line', '\u0085'],
  ])('keeps an event with %s in one line', async (_what, char) => {
    const lines = await written((sink) => sink.write('info', { note: `a${char}b` }));
    expect(lines.split(/[\n\r\u0085\u2028\u2029]/)).toHaveLength(2);
  });

  it('lets no event clear or colour the terminal', async () => {
    const lines = await written((sink) => sink.write('critical', { note: '\u001b[2J\u009b31m' }));
    expect(lines).toContain(String.raw`{"note":"\u001b[2J\u009b31m"}`);
  });

  it('is closed when everything is out', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const sink = new StdoutSink(['info'], stream);
    let isClosed = false;
    void sink.write('info', { a: 1 });
    const closing = sink.close().then(() => (isClosed = true));
    await new Promise(setImmediate);
    expect(isClosed).toBe(false);
    stream.resume();
    await closing;
  });
});
