import { Samples } from './report/samples';
import type { Rig } from './rig';
import { rotated, runRounds } from './rounds';
import type { Case, Work } from './works/work';

describe('the order of a round', () => {
  it('begins with another one each time, and comes round', () => {
    const orders = [0, 1, 2, 3].map((by) => rotated(['a', 'b', 'c'], by).join(''));
    expect(orders).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('of nothing is nothing', () => {
    expect(rotated([], 5)).toEqual([]);
  });
});

describe('the rounds of a work', () => {
  const work: Work = { name: 'w', title: '', baseline: '', columns: [], isInShort: true, casesOf: () => [] };
  const rig = {} as Rig;

  it('interleave its cases, and go on when one of them fails', async () => {
    const order: string[] = [];
    const caseOf = (row: string, measure: () => number): Case => ({
      ...{ variant: '', row, title: row, note: '' },
      measure: async () => {
        order.push(row);
        return { ratePerS: measure() };
      },
    });
    const cases = [
      caseOf('good', () => 1),
      caseOf('bad', () => {
        throw new Error('It broke.');
      }),
    ];
    const samples = new Samples();
    const lines: string[] = [];
    const failures = await runRounds(work, cases, 2, rig, samples, (line) => lines.push(line));
    expect(order).toEqual(['good', 'bad', 'bad', 'good']);
    expect(failures).toEqual(['w 1/2 bad', 'w 2/2 bad']);
    expect(samples.list.map(({ row, round }) => [row, round])).toEqual([
      ['good', 1],
      ['good', 2],
    ]);
    expect(lines).toContain('w 1/2 bad: Error: It broke.');
  });
});
