import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@mercury/messaging';
import { ApiKeys } from './api-keys';

const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mercury-keys-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function fileWith(text: string): Promise<string> {
  const path = join(folder, 'keys');
  await writeFile(path, text);
  return path;
}

async function problemsOf(text: string): Promise<string[]> {
  const path = await fileWith(text);
  try {
    ApiKeys.fromFile(path);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('an API key', () => {
  it.each([
    ['alone in its file', `shop:${hashOf('key')}`],
    ['with a line end', `shop:${hashOf('key')}\n`],
    ['with line ends of Windows', `# keys\r\nshop:${hashOf('key')}\r\n`],
    ['with a byte order mark', `\ufeffshop:${hashOf('key')}\n`],
    ['in capitals', `shop:${hashOf('key').toUpperCase()}\n`],
    ['between comments and empty lines', `# shop:${hashOf('old')}\n\n  \n  shop:${hashOf('key')}  \n# end`],
  ])('is known, %s', async (_what, text) => {
    const keys = ApiKeys.fromFile(await fileWith(text));
    expect(keys.nameOf('key')).toBe('shop');
  });

  it('has its own name among others', async () => {
    const path = await fileWith(`a:${hashOf('key of a')}\nb-2.x_y:${hashOf('key of b')}\nc:${hashOf('key of c')}\n`);
    const keys = ApiKeys.fromFile(path);
    expect(['a', 'b', 'c'].map((name) => keys.nameOf(`key of ${name}`))).toEqual(['a', 'b-2.x_y', 'c']);
  });

  it.each([
    ['another one', 'KEY'],
    ['nothing', ''],
    ['the hash itself', hashOf('key')],
    ['the name', 'shop'],
    ['one that is commented out', 'old'],
    ['one with a space', 'key '],
  ])('is unknown when it is %s', async (_what, key) => {
    const keys = ApiKeys.fromFile(await fileWith(`#old:${hashOf('old')}\nshop:${hashOf('key')}\n`));
    expect(keys.nameOf(key)).toBeUndefined();
  });
});

describe('a file of API keys', () => {
  it.each([
    ['a key that is not hashed', 'shop:hush'],
    ['a hash that is too short', `shop:${hashOf('hush').slice(1)}`],
    ['a hash that is too long', `shop:${hashOf('hush')}0`],
    ['a hash without a name', `:${hashOf('hush')}`],
    ['a name with spaces', `hush hush:${hashOf('hush')}`],
    ['a name that is too long', `${'hush'.repeat(26)}:${hashOf('hush')}`],
    ['a comment behind a key', `shop:${hashOf('hush')} # hush`],
  ])('is refused for %s, with the number of the line and without its text', async (_what, line) => {
    const problems = await problemsOf(`# keys\ngood:${hashOf('key')}\n\n${line}\n`);
    expect(problems).toEqual(['API_KEYS_FILE line 4 is not name:sha256']);
  });

  it('is refused with every wrong line', async () => {
    const problems = await problemsOf(`one\ngood:${hashOf('key')}\ntwo\nthree`);
    expect(problems).toEqual([1, 3, 4].map((line) => `API_KEYS_FILE line ${line} is not name:sha256`));
  });

  it.each([[''], ['\n\n'], ['# nobody\n']])('is refused when it holds no key: %j', async (text) => {
    expect(await problemsOf(text)).toEqual(['API_KEYS_FILE holds no key']);
  });

  it('is refused when it gives one key to two names, however it is written', async () => {
    const hash = hashOf('key');
    expect(await problemsOf(`shop:${hash}\nblog:${hashOf('other')}\nblog:${hash.toUpperCase()}\n`)).toEqual([
      'API_KEYS_FILE line 3 gives the key of shop to blog, too',
    ]);
    expect(await problemsOf(`shop:${hash}\nshop:${hash}\n`)).toEqual([]);
  });

  it('is refused when it is missing, with its name', () => {
    const path = join(folder, 'missing');
    expect(() => ApiKeys.fromFile(path)).toThrow(ConfigError);
    expect(() => ApiKeys.fromFile(path)).toThrow(
      `API_KEYS_FILE cannot be read: ENOENT: no such file or directory, open '${path}'`,
    );
  });
});
