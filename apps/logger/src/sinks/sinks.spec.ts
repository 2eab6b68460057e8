import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@mercury/messaging';
import { openSinks, parseSinks } from '.';

function problemsOf(text: string): string[] {
  try {
    parseSinks(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('LOGGER_SINKS', () => {
  it.each([
    ['stdout:info', [{ name: 'stdout', levels: ['info'] }]],
    [
      'stdout:info,critical;file:critical',
      [
        { name: 'stdout', levels: ['info', 'critical'] },
        { name: 'file', levels: ['critical'] },
      ],
    ],
    [
      ' file : critical , info ; stdout : info ',
      [
        { name: 'file', levels: ['critical', 'info'] },
        { name: 'stdout', levels: ['info'] },
      ],
    ],
  ])('"%s" says which sink takes which levels', (text, expected) => {
    expect(parseSinks(text)).toEqual(expected);
  });

  it.each([
    ['nothing', '', ['no sink ""', 'no level ""']],
    ['a sink that does not exist', 'syslog:info', ['no sink "syslog"']],
    ['a sink in other letters', 'Stdout:info', ['no sink "Stdout"']],
    ['a level that does not exist', 'stdout:info,debug', ['no level "debug"']],
    ['a sink without levels', 'stdout', ['no level ""']],
    ['a level that is left out', 'stdout:info,', ['no level ""']],
    ['a sink that is named twice', 'file:info;file:critical', ['name each sink once']],
    ['a separator too many', 'stdout:info;', ['no sink ""', 'no level ""']],
    [
      'several problems, each of them',
      'syslog:debug;file:all',
      ['no sink "syslog"', 'no level "debug"', 'no level "all"'],
    ],
  ])('refuses %s', (_what, text, expected) => {
    expect(problemsOf(text)).toEqual(
      expected.map((part) => expect.stringMatching(new RegExp(`^LOGGER_SINKS: .*${part}`)) as unknown),
    );
  });

  it('refuses a second colon rather than leave out the levels behind it', () => {
    expect(problemsOf('stdout:info:critical')).toEqual([expect.stringContaining('LOGGER_SINKS')]);
  });
});

describe('openSinks', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mercury-sinks-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('opens what is named, and creates no file that is not', async () => {
    const path = join(folder, 'events.jsonl');
    const [stdout] = openSinks('stdout:info', path);
    expect(stdout).toMatchObject({ name: 'stdout', levels: ['info'] });
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('gives the file sink its file', async () => {
    const path = join(folder, 'events.jsonl');
    const sinks = openSinks('file:critical', path);
    expect(sinks).toEqual([expect.objectContaining({ name: 'file', levels: ['critical'] })]);
    void sinks[0]?.write('critical', { disk: 'full' });
    await sinks[0]?.close();
    expect(await readFile(path, 'utf8')).toContain('"disk":"full"');
  });
});
