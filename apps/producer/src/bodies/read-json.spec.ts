import { setImmediate } from 'node:timers/promises';
import { ProblemException, type Problem } from '../problems/problem';
import { LONG_BYTES, readJson } from './read-json';

const read = async (text: string) => (await readJson(Buffer.from(text))).value;

async function problemOf(text: string | Buffer): Promise<Problem | undefined> {
  try {
    await readJson(Buffer.from(text));
    return undefined;
  } catch (error) {
    if (error instanceof ProblemException) return error.problem;
    throw error;
  }
}

const LONG = 'x'.repeat(LONG_BYTES);
const many = (count: number, one: (index: number) => string) =>
  Array.from({ length: count }, (_, at) => one(at)).join();
/** Longer than what is read at once, of many members. */
const LONG_LIST = `[${many(20_000, String)}]`;
const LONG_OBJECT = `{${many(10_000, (at) => `"k${(at * 7919) % 10_007}":{"a":[${at}]}`)}}`;

describe('JSON', () => {
  it.each<[string, string]>([
    ['a small object', '{"a":{"b":[1,"2",null,true,-0.5e-3]}}'],
    ['a number alone', ' 7 '],
    ['a text alone', '"\\"\\\\"'],
    ['a long text', `{"a":"${LONG}\\"\\\\","b":1}`],
    ['a long list', LONG_LIST],
    ['a long object', LONG_OBJECT],
    ['long ones inside of each other', `{"a":[1,${LONG_LIST},{"b":${LONG_OBJECT},"c":2},3],"d":${LONG_LIST}}`],
    ['a long one last, and spaces around', ` \n[ 1 , ${LONG_LIST} ]\t`],
    ['the same key several times', `{"a":1,"b":2,"a":${LONG_LIST},"c":3,"b":[],"a":{"z":${LONG_LIST}}}`],
    ['keys that look like indices', `{"b":1,"10":${LONG_LIST},"9":2,${LONG_OBJECT.slice(1)}`],
    ['brackets, commas and quotes inside of texts', `{"a,[{":"}],\\"","b":[${many(9_000, () => '"]},[{\\\\"')}]}`],
    ['nothing but spaces inside', `{"a":[${' '.repeat(LONG_BYTES)}],"b":{${'\n'.repeat(LONG_BYTES)}}}`],
    ['128 levels', `${'['.repeat(128)}${LONG_LIST.slice(1, -1)}${']'.repeat(128)}`],
  ])('is read as JSON.parse reads it: %s', async (_what, text) => {
    const value = await read(text);
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['cut off', '{"a":'],
    ['two values', '{} {}'],
    ['a long one that is cut off', LONG_LIST.slice(0, -1)],
    ['a long one closed twice', `${LONG_LIST}]`],
    ['two long ones', `${LONG_LIST}${LONG_LIST}`],
    ['something before a long one', `1${LONG_LIST}`],
    ['something before a long one inside', `[1${LONG_LIST}]`],
    ['something behind a long one inside', `{"a":${LONG_LIST}1}`],
    ['two long ones without a comma', `[${LONG_LIST} ${LONG_LIST}]`],
    ['no colon before a long one', `{"a" ${LONG_LIST}}`],
    ['no key before a long one', `{"a":1,${LONG_LIST}}`],
    ['a comma behind the last', `[${LONG_LIST},]`],
    ['a comma before the first', `[,${LONG_LIST}]`],
    ['two commas', `[1,,${LONG_LIST}]`],
    ['the wrong bracket', `${LONG_LIST.slice(0, -1)}}`],
    ['a wrong value far behind', `${LONG_OBJECT.slice(0, -1)},"x":nul}`],
    ['a text without an end', `["${LONG}`],
    ['a reach for the prototype', '{"a":{"__proto__":{"admin":true}}}'],
    ['a long one that reaches for the prototype', `{"__proto__":${LONG_OBJECT}}`],
    ['one written in another way', `{"\\u005f_proto__":${LONG_OBJECT}}`],
    ['a long one that reaches for the constructor’s prototype', `{"constructor":{"prototype":${LONG_LIST}}}`],
    ['another one that does', `[{"constructor":{"a":${LONG_LIST},"prototype":1}}]`],
  ])('is refused: %s', async (_what, text) => {
    expect(await problemOf(text)).toMatchObject({ status: 400, code: 'MALFORMED_JSON' });
  });

  it('in bytes that are no UTF-8 is refused', async () => {
    expect(await problemOf(Buffer.from('7b2261223a22f09f98227d', 'hex'))).toMatchObject({ code: 'MALFORMED_JSON' });
  });

  it('is refused where it is nested deeper than it can be written again', async () => {
    expect(await problemOf('['.repeat(129) + ']'.repeat(129))).toMatchObject({
      status: 422,
      errors: [{ detail: expect.stringContaining('128 levels') as string }],
    });
  });

  it('that is wrong far behind says where', async () => {
    const text = `${LONG_OBJECT.slice(0, -1)},"x":1 2}`;
    expect((await problemOf(text))?.detail).toContain(`position ${text.length - 2}`);
  });
});

const MIB = 1_048_576;
const filled = (one: (index: number) => string, open = '[', close = ']') => {
  const parts: string[] = [];
  for (let length = 0, at = 0; length < MIB; at++) {
    parts.push(one(at));
    length += one(at).length + 1;
  }
  return `${open}${parts.join()}${close}`;
};

/** How many turns of the event loop it takes to read a text, and how long the longest of them is. */
async function turnsOf(text: string): Promise<{ turns: number; longestMs: number }> {
  const bytes = Buffer.from(text);
  let isDone = false;
  const reading = readJson(bytes)
    .catch(() => undefined)
    .finally(() => (isDone = true));
  let turns = 0;
  let longestMs = 0;
  for (let lastMs = performance.now(); !isDone; turns++) {
    await setImmediate();
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }
  await reading;
  return { turns, longestMs };
}

/** Outside of a test, with V8 warm and no other test beside it, it is some tens of milliseconds. */
const MOST_MS = 200;

describe('a mebibyte of hostile JSON lets others come on', () => {
  it.each<[string, string, number]>([
    ['different keys', filled((at) => `"${((at * 7919) % 1_000_003).toString(36)}z":1`, '{', '}'), 5],
    ['objects that all look different', filled((at) => `{"${at.toString(36)}z":1}`), 5],
    ['empty objects', filled(() => '{}'), 4],
    ['empty lists', filled(() => '[]'), 4],
    ['many deep lists', filled(() => '['.repeat(120) + ']'.repeat(120)), 4],
    ['lists in lists', `${'['.repeat(MIB / 2)}${']'.repeat(MIB / 2)}`, 1],
    ['objects in objects', `${'{"a":'.repeat(MIB / 6)}1${'}'.repeat(MIB / 6)}`, 1],
    ['a list that does not end', filled(() => '{}', '[', ''), 1],
    ['numbers that overflow', filled(() => '1e400'), 1],
    ['one number', '9'.repeat(MIB), 1],
  ])('%s', async (_what, text, leastTurns) => {
    // The best of three: this machine may be busy with something else.
    const rounds = [await turnsOf(text), await turnsOf(text), await turnsOf(text)];
    expect(Math.min(...rounds.map(({ longestMs }) => longestMs))).toBeLessThan(MOST_MS);
    // Each has its own: JSON.parse would do all in one.
    expect(Math.max(...rounds.map(({ turns }) => turns))).toBeGreaterThanOrEqual(leastTurns);
  });
});
