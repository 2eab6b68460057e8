import { inexactErrors, inexactErrorsOfItems } from './inexact-numbers';
import { scanJson } from './scan-json';

const isRefused = async (number: string) => (await scanJson(`{"n":${number}}`, Infinity)).hasInexact;

describe('a number', () => {
  it.each([
    '0',
    '-0',
    '0.0e5',
    '0.1',
    '3.141592653589793238462643383279',
    '1e3',
    '1E+22',
    '1e23',
    '9007199254740991',
    '-9007199254740991',
    '9007199254740992',
    '9007199254740993.0e-20',
    '18014398509481984',
    '123456789012345680000',
    '123456789012345.67890123456789',
    '1.7976931348623157e308',
    '5e-324',
    `1${'0'.repeat(300)}`,
    '1000000000000000000000.000',
  ])('that stays the same is taken: %s', async (number) => {
    expect(await isRefused(number)).toBe(false);
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '1234567890123456789',
    '9007199254740993.0',
    '9007199254740993e0',
    '900719925474099.3e1',
    '12345678901234567.5',
    '123456789012345678901',
    '1e400',
    '-1E+309',
    '1e-400',
    '0.000000001e-320',
    '9'.repeat(400),
  ])('that would become another one is not: %s', async (number) => {
    expect(await isRefused(number)).toBe(true);
  });

  it('inside of a text is a text', async () => {
    const text = '{"1e400":"1e400 \\"1234567890123456789","a":["9007199254740993"]}';
    expect((await scanJson(text, Infinity)).hasInexact).toBe(false);
  });
});

describe('where they are', () => {
  const text =
    '{"a":1e400,"b":[1,{"c/d~":[[],[2,1234567890123456789]]},"x,y:"],"e\\u0022":{"f":{}, "g" : -1e999},"h":9}';

  it('is told by pointers', async () => {
    expect(await inexactErrors(text, 20)).toEqual([
      { pointer: '/a', detail: expect.stringMatching(/^1e400 cannot be kept/) as string },
      { pointer: '/b/1/c~1d~0/1/1', detail: expect.stringMatching(/^1234567890123456789 /) as string },
      { pointer: '/e"/g', detail: expect.stringMatching(/^-1e999 /) as string },
    ]);
    expect(await inexactErrors('1e400', 20)).toMatchObject([{ pointer: '' }]);
  });

  it('is told of so many only, shortened', async () => {
    expect(await inexactErrors(text, 2)).toHaveLength(2);
    const [error] = await inexactErrors(`{"${'k'.repeat(1_000)}":${'9'.repeat(1_000)}}`, 20);
    expect(error?.pointer.length).toBeLessThan(130);
    expect(error?.detail.length).toBeLessThan(150);
  });

  it('is told of each item of a list by itself', async () => {
    const errors = await inexactErrorsOfItems('[{"a":1},{"a":[1e400,1e400,1e400]},2,{"b":1e401}]', 2);
    expect([...errors.keys()]).toEqual([1, 3]);
    expect(errors.get(1)?.map(({ pointer }) => pointer)).toEqual(['/a/0', '/a/1']);
    expect(errors.get(3)?.map(({ pointer }) => pointer)).toEqual(['/b']);
  });
});
