import { InvalidMessageError } from '../errors';
import { encodeJson, encodeTask } from './codec';
import { jsonLossIn } from './json-loss';

class Money {
  #amount = 5;
  get amount() {
    return this.#amount;
  }
}
class Sweep {}
class Invoice {
  readonly number = 7;
}
class Callback {
  readonly done = () => undefined;
}

const twice = { a: 1 };
const written = (toJSON: unknown) => ({ toJSON });

describe('jsonLossIn', () => {
  it.each<[string, unknown]>([
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['a number beyond the range of doubles', JSON.parse('-1e400')],
    ['a function', () => undefined],
    ['a symbol', Symbol('x')],
    ['a BigInt', 1n],
    ['a Map', new Map([['a', 1]])],
    ['a Map with a field', Object.assign(new Map(), { a: 1 })],
    ['a Set', new Set([1])],
    ['a WeakMap', new WeakMap()],
    ['an error', new Error('no')],
    ['an error with a field', Object.assign(new Error('no'), { code: 'NO' })],
    ['a regular expression', /x/],
    ['a Promise', Promise.resolve(1)],
    ['a Buffer', Buffer.from('x')],
    ['a typed array', new Float64Array(2)],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['an invalid date', new Date('tomorrow')],
    ['an instance that keeps its state to itself', new Money()],
    ['an instance with a function for a field', new Callback()],
    ['undefined in a list', [undefined]],
    ['a hole in a list', new Array(3)],
    ['a function in a list', [() => undefined]],
    ['a boxed NaN', Object(NaN)],
    ['what its toJSON leaves out', written(() => undefined)],
    ['what its toJSON makes of it', written(() => ({ n: NaN }))],
  ])('finds %s', (_what, value) => {
    expect(jsonLossIn({ type: 'a', list: ['x', { 'a/b~c': value }] })?.pointer).toMatch(/^\/list\/1\/a~1b~0c(\/|$)/);
  });

  it.each<[string, unknown]>([
    ['texts, numbers, yes, no and null', ['x', 0, -1.5, true, false, null, '']],
    ['whole numbers that a double holds, though not every one near them', [2 ** 60, 1e21, -1e300, 5e-324, -0]],
    ['fields that are undefined', { a: undefined }],
    ['objects without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['instances with fields', new Invoice()],
    ['instances of a class that has nothing', new Sweep()],
    ['dates', new Date(0)],
    ['what has a toJSON', [new URL('http://localhost/'), written((key: string) => key)]],
    ['boxed values', [Object('x'), Object(1), Object(false)]],
    ['half a surrogate pair', '\ud800'],
    ['the same object twice', [twice, twice]],
  ])('lets %s pass', (_what, value) => {
    expect(jsonLossIn({ value })).toBeUndefined();
  });

  it('lets a BigInt pass that was taught to be written', () => {
    const prototype = BigInt.prototype as unknown as { toJSON?: () => string };
    prototype.toJSON = function (this: bigint) {
      return this.toString();
    };
    try {
      expect(jsonLossIn({ n: 1n })).toBeUndefined();
    } finally {
      delete prototype.toJSON;
    }
  });

  it('is a body itself that JSON would empty', () => {
    expect(jsonLossIn(new Map([['type', 'a']]))).toMatchObject({ pointer: '' });
  });

  it('tells no more of a place than people read', () => {
    expect(jsonLossIn({ ['x'.repeat(10_000)]: NaN })?.pointer).toHaveLength(500);
  });
});

describe('a body that would not arrive as it is', () => {
  const thrownBy = (work: () => unknown): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    throw new Error('Nothing was thrown.');
  };

  it.each<[string, () => unknown]>([
    ['task', () => encodeTask({ type: 'a', order: { total: NaN } }, {}, 1_000)],
    ['event', () => encodeJson({ order: { total: NaN } }, 'EVENT', 1_000)],
  ])('is refused as %s, and its place is told', (_what, encode) => {
    const error = thrownBy(encode);
    expect(error).toBeInstanceOf(InvalidMessageError);
    expect(error).toMatchObject({ code: 'BODY_INVALID', pointer: '/order/total' });
    expect((error as Error).message).toContain('NaN at "/order/total"');
  });

  it('is told its place also when JSON refuses it by itself', () => {
    const error = thrownBy(() => encodeTask({ type: 'a', list: [{ n: 1n }] }, {}, 1_000));
    expect(error).toMatchObject({ code: 'BODY_INVALID', pointer: '/list/0/n' });
  });

  it('that refers to itself is refused in the words of JSON', () => {
    const body: Record<string, unknown> = { type: 'a' };
    body['self'] = [body];
    expect(thrownBy(() => encodeTask(body, {}, 1_000))).toMatchObject({
      code: 'BODY_INVALID',
      cause: expect.any(Error) as Error,
    });
  });

  it('is measured first: a large one is not looked at', () => {
    const list = Array.from({ length: 1_000 }, () => NaN);
    expect(thrownBy(() => encodeTask({ type: 'a', list }, {}, 1_000))).toMatchObject({ code: 'TASK_TOO_LARGE' });
  });
});
