import { bodyOf } from './body';

describe('a body', () => {
  it.each([144, 256, 1_024, 1_048_576])('of %d bytes has just so many', (bytes) => {
    expect(Buffer.byteLength(JSON.stringify(bodyOf(bytes)))).toBe(bytes);
  });

  it('cannot be smaller than its fields', () => {
    expect(() => bodyOf(10)).toThrow(RangeError);
  });
});
