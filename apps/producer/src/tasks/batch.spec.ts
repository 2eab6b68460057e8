import { ProblemException } from '../problems/problem';
import { Ndjson, readBatch } from './batch';

/** What each item is, or the code of its problem. */
const itemsOf = (body: unknown) =>
  readBatch(typeof body === 'string' ? new Ndjson(body) : body).map((item) => {
    try {
      return item();
    } catch (error) {
      if (error instanceof ProblemException) return error.problem.code;
      throw error;
    }
  });

function problemOf(body: unknown) {
  try {
    readBatch(typeof body === 'string' ? new Ndjson(body) : body);
  } catch (error) {
    if (error instanceof ProblemException) return error.problem;
    throw error;
  }
  return undefined;
}

describe('a batch', () => {
  it('is a JSON array, each item as it stands', () => {
    const items = [{ a: 1 }, 'text', null, [], 0];
    expect(itemsOf(items)).toEqual(items);
  });

  it.each([
    ['lines', '{"a":1}\n{"b":2}'],
    ['lines with an end', '{"a":1}\n{"b":2}\n'],
    ['lines of Windows', '{"a":1}\r\n{"b":2}\r\n'],
    ['lines with empty ones in between', '\n{"a":1}\n\n \t\r\n{"b":2}\n\n'],
    ['lines with spaces around', '  {"a":1}  \n\t{"b":2}'],
  ])('is NDJSON: %s', (_what, text) => {
    expect(itemsOf(text)).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it('is split at line feeds only', () => {
    expect(itemsOf('{"note":"a\u2028b\u0085c"}\n{"b":2}')).toEqual([{ note: 'a\u2028b\u0085c' }, { b: 2 }]);
  });

  it.each([
    ['is cut off', '{"a":'],
    ['is no JSON', 'a: 1'],
    ['holds two values', '{"a":1} {"b":2}'],
    ['reaches for the prototype', '{"__proto__":{"admin":true}}'],
    ['reaches for the constructor’s prototype', '{"constructor":{"prototype":{"admin":true}}}'],
  ])('with a line that %s: the problem is this item’s, the others stand', (_what, line) => {
    expect(itemsOf(`{"a":1}\n${line}\n{"b":2}`)).toEqual([{ a: 1 }, 'MALFORMED_JSON', { b: 2 }]);
  });

  it('says what is wrong with a line', () => {
    const [item] = readBatch(new Ndjson('nonsense'));
    expect(item).toThrow(
      expect.objectContaining({
        problem: expect.objectContaining({
          status: 400,
          detail: expect.stringContaining('well-formed') as string,
        }) as unknown,
      }) as Error,
    );
  });
});

describe('the size of a batch', () => {
  it.each([
    ['array', (count: number) => Array.from({ length: count }, () => ({}))],
    ['NDJSON', (count: number) => '{}\n'.repeat(count)],
  ])('is at most 1,000, as %s', (_form, bodyOf) => {
    expect(itemsOf(bodyOf(1))).toHaveLength(1);
    expect(itemsOf(bodyOf(1_000))).toHaveLength(1_000);
    expect(problemOf(bodyOf(1_001))).toMatchObject({
      status: 422,
      code: 'INVALID_REQUEST',
      errors: [{ pointer: '', detail: 'must hold at most 1000 tasks, not 1001' }],
    });
  });

  it.each([
    ['an empty array', []],
    ['an empty text', ''],
    ['empty lines', '\n\r\n \n'],
  ])('is not nothing: %s', (_what, body) => {
    expect(problemOf(body)).toMatchObject({ status: 422, errors: [{ detail: 'must hold at least one task' }] });
  });

  it.each([
    ['an object', { type: 'sleep' }],
    ['a number', 7],
    ['null', null],
    ['nothing', undefined],
  ])('is that of a list: %s is none', (_what, body) => {
    expect(problemOf(body)).toMatchObject({ status: 422, errors: [{ detail: 'must be a JSON array of tasks' }] });
  });
});
