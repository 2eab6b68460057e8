import { setImmediate } from 'node:timers/promises';
import { JsonList, Ndjson } from '../bodies/parse-bodies';
import { readJson } from '../bodies/read-json';
import { ProblemException, problemOf, type Problem } from '../problems/problem';
import { readBatch, shortened, workOff, type BatchItem } from './batch';

/** A text is NDJSON, anything else is sent as JSON. */
const bodyOf = async (body: unknown) =>
  typeof body === 'string'
    ? new Ndjson(Buffer.from(body))
    : new JsonList(await readJson(Buffer.from(JSON.stringify(body))));

const codeOf = (error: unknown) => {
  if (error instanceof ProblemException) return error.problem.code;
  throw error;
};

/** What each item is, or the code of its problem. */
async function itemsOf(body: unknown): Promise<unknown[]> {
  const items = await readBatch(await bodyOf(body));
  return Promise.all(items.map(async ({ read }) => read()).map((item) => item.catch(codeOf)));
}

async function refusalOf(body: unknown): Promise<Problem | undefined> {
  try {
    await readBatch(await bodyOf(body));
    return undefined;
  } catch (error) {
    if (error instanceof ProblemException) return error.problem;
    throw error;
  }
}

describe('a batch', () => {
  it('is a JSON array, each item as it stands', async () => {
    const items = [{ a: 1 }, 'text', null, [], 0];
    expect(await itemsOf(items)).toEqual(items);
  });

  it.each([
    ['lines', '{"a":1}\n{"b":2}'],
    ['lines with an end', '{"a":1}\n{"b":2}\n'],
    ['lines of Windows', '{"a":1}\r\n{"b":2}\r\n'],
    ['lines with empty ones in between', '\n{"a":1}\n\n \t\r\n{"b":2}\n\n'],
    ['lines with spaces around', '  {"a":1}  \n\t{"b":2}'],
  ])('is NDJSON: %s', async (_what, text) => {
    expect(await itemsOf(text)).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it('is split at line feeds only', async () => {
    expect(await itemsOf('{"note":"a\u2028b\u0085c"}\n{"b":2}')).toEqual([{ note: 'a\u2028b\u0085c' }, { b: 2 }]);
  });

  it.each([
    ['is cut off', '{"a":'],
    ['is no JSON', 'a: 1'],
    ['holds two values', '{"a":1} {"b":2}'],
    ['reaches for the prototype', '{"__proto__":{"admin":true}}'],
    ['reaches for the constructor’s prototype', '{"constructor":{"prototype":{"admin":true}}}'],
  ])('with a line that %s: the problem is this item’s, the others stand', async (_what, line) => {
    expect(await itemsOf(`{"a":1}\n${line}\n{"b":2}`)).toEqual([{ a: 1 }, 'MALFORMED_JSON', { b: 2 }]);
  });

  it.each<[string, (items: string[]) => JsonList | Promise<JsonList> | Ndjson]>([
    ['array', async (items) => new JsonList(await readJson(Buffer.from(`[${items.join()}]`)))],
    ['NDJSON', (items) => new Ndjson(Buffer.from(items.join('\n')))],
  ])('with a number that would change: the problem is this item’s, the others stand, as %s', async (_form, write) => {
    const items = await readBatch(await write(['{"a":1}', '{"a":[1e400]}', '{"b":2}']));
    expect(await items[0]?.read()).toEqual({ a: 1 });
    expect(await items[2]?.read()).toEqual({ b: 2 });
    await expect((async () => items[1]?.read())()).rejects.toMatchObject({
      problem: { status: 422, errors: [{ pointer: '/a/0' }] },
    });
  });

  it('has a problem for each item, however many numbers would change', async () => {
    const text = `[${Array.from({ length: 1_000 }, () => `[${Array(50).fill('1e400').join()}]`).join()}]`;
    const items = await readBatch(new JsonList(await readJson(Buffer.from(text))));
    for (const { read } of items) expect(read).toThrow(ProblemException);
  });

  it('has lines that are no longer than a task may be', async () => {
    expect(await itemsOf(`{"a":1}\n{"a":"${'x'.repeat(1_114_112)}"}`)).toEqual([{ a: 1 }, 'BODY_TOO_LARGE']);
  });
});

describe('the size of a batch', () => {
  it.each([
    ['array', (count: number) => Array.from({ length: count }, () => ({}))],
    ['NDJSON', (count: number) => '{}\n'.repeat(count)],
  ])('is at most 1,000, as %s', async (_form, make) => {
    expect(await itemsOf(make(1))).toHaveLength(1);
    expect(await itemsOf(make(1_000))).toHaveLength(1_000);
    expect(await refusalOf(make(1_001))).toMatchObject({
      status: 422,
      code: 'INVALID_REQUEST',
      errors: [{ pointer: '', detail: 'must hold at most 1000 tasks' }],
    });
  });

  it.each([
    ['an empty array', []],
    ['an empty text', ''],
    ['empty lines', '\n\r\n \n'],
  ])('is not nothing: %s', async (_what, body) => {
    expect(await refusalOf(body)).toMatchObject({ status: 422, errors: [{ detail: 'must hold at least one task' }] });
  });

  it.each([
    ['an object', { type: 'sleep' }],
    ['a number', 7],
    ['null', null],
  ])('is that of a list: %s is none', async (_what, body) => {
    expect(await refusalOf(body)).toMatchObject({ status: 422, errors: [{ detail: 'must be a JSON array of tasks' }] });
  });
});

describe('workOff', () => {
  const item = (bytes: number): BatchItem => ({ bytes, read: () => bytes });

  it('has the results in order, also where a later one comes first', async () => {
    const gates: (() => void)[] = [];
    const results = workOff([item(1), item(2), item(3)], async (read) => async () => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return read();
    });
    while (gates.length < 3) await setImmediate();
    for (const open of gates.reverse()) open();
    expect(await results).toEqual([1, 2, 3]);
  });

  it('has no more under way than 2 MiB, however many there are', async () => {
    const bytes = 1_048_576;
    let underWay = 0;
    let most = 0;
    await workOff(
      Array.from({ length: 20 }, () => item(bytes)),
      async () => async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        await setImmediate();
        underWay -= 1;
      },
    );
    expect(most).toBe(2);
  });
});

it('the results of a batch name the fields of the first 2,000 problems', () => {
  const errors = Array.from({ length: 20 }, () => ({ pointer: '/a', detail: 'wrong' }));
  const results = shortened(
    Array.from({ length: 150 }, () => problemOf(422, 'INVALID_REQUEST', '20 are wrong.', { errors })),
  );
  expect(results.filter((result) => 'errors' in result)).toHaveLength(100);
  expect(results.map((result) => result.detail)).toEqual(Array(150).fill('20 are wrong.'));
});
