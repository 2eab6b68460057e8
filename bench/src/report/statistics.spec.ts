import { ratioOf, slopeOf, spreadOf } from './statistics';

describe('the spread of the rounds', () => {
  it.each([
    ['one round', [5], { median: 5, least: 5, most: 5 }],
    ['an odd number of rounds', [9, 1, 2], { median: 2, least: 1, most: 9 }],
    ['an even number of rounds', [4, 1, 2, 100], { median: 3, least: 1, most: 100 }],
  ])('of %s', (_what, values, spread) => {
    expect(spreadOf(values)).toEqual(spread);
  });

  it('leaves its values as they were', () => {
    const values = [3, 1, 2];
    spreadOf(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it('of nothing does not exist', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });
});

describe('the ratio to a baseline', () => {
  it('is taken within each round: a round that was slow for both changes nothing', () => {
    const values = new Map([
      [1, 100],
      [2, 10],
      [3, 100],
    ]);
    const baselines = new Map([
      [1, 200],
      [2, 20],
      [3, 200],
    ]);
    expect(ratioOf(values, baselines)).toEqual({ median: 0.5, least: 0.5, most: 0.5 });
  });

  it('leaves out the rounds in which one of both is missing', () => {
    const values = new Map([
      [1, 1],
      [2, 8],
    ]);
    expect(ratioOf(values, new Map([[2, 4]]))).toEqual({ median: 2, least: 2, most: 2 });
    expect(ratioOf(values, new Map())).toBeUndefined();
  });

  it('to nothing at all does not exist', () => {
    expect(ratioOf(new Map([[1, 1]]), new Map([[1, 0]]))).toBeUndefined();
  });
});

describe('the slope', () => {
  it('is that of the line nearest to all points', () => {
    expect(
      slopeOf([
        [0, 10],
        [1, 12],
        [2, 14],
      ]),
    ).toBeCloseTo(2);
    expect(
      slopeOf([
        [0, 10],
        [1, 11],
        [2, 9],
        [3, 10],
      ]),
    ).toBeCloseTo(-0.2);
  });

  it.each([
    ['no points', []],
    ['one point', [[1, 5]] as [number, number][]],
    [
      'points at one moment',
      [
        [1, 5],
        [1, 9],
      ] as [number, number][],
    ],
  ])('of %s is level', (_what, points) => {
    expect(slopeOf(points)).toBe(0);
  });
});
