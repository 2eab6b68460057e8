import { rotated } from './rounds';

describe('the order of a round', () => {
  it('begins with another one each time, and comes round', () => {
    const orders = [0, 1, 2, 3].map((by) => rotated(['a', 'b', 'c'], by).join(''));
    expect(orders).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('of nothing is nothing', () => {
    expect(rotated([], 5)).toEqual([]);
  });
});
