import { Samples } from './samples';
import { tableOf } from './table';

const work = {
  name: 'enqueue',
  title: 'Enqueue',
  baseline: 'amqplib',
  columns: [
    { metric: 'ratePerS', heading: 'tasks/s', digits: 0, hasRatio: true },
    { metric: 'rssMib', heading: 'MiB', digits: 1, hasRatio: false },
  ],
};

const row = (name: string, note = '', variant = '') => ({ variant, row: name, title: name.toUpperCase(), note });

function samplesOf(...rates: readonly [row: string, round: number, ratePerS: number][]): Samples {
  const samples = new Samples();
  for (const [name, round, ratePerS] of rates) {
    samples.add({ work: 'enqueue', variant: '', row: name, round, metrics: { ratePerS, rssMib: 50 } });
  }
  return samples;
}

describe('the table of a work', () => {
  it('has medians, ranges, and ratios round by round', () => {
    const samples = samplesOf(
      ['mercury', 1, 9_000],
      ['amqplib', 1, 10_000],
      ['mercury', 2, 19_000],
      ['amqplib', 2, 20_000],
      ['mercury', 3, 30_000],
      ['amqplib', 3, 30_000],
    );
    expect(tableOf(work, [row('mercury', 'confirmed'), row('amqplib')], samples)).toBe(
      [
        '### Enqueue',
        '',
        '|  | tasks/s | ratio | MiB | note |',
        '| --- | --: | --: | --: | --- |',
        '| MERCURY | 19,000 (9,000–30,000) | 0.95 (0.90–1.00) | 50.0 | confirmed |',
        '| AMQPLIB | 20,000 (10,000–30,000) | 1.00 | 50.0 |  |',
        '',
      ].join('\n'),
    );
  });

  it('shows what was not measured as such', () => {
    expect(tableOf(work, [row('mercury'), row('amqplib')], samplesOf(['mercury', 1, 5]))).toContain(
      '| AMQPLIB | - | - | - |',
    );
  });

  it('has a column for what is varied', () => {
    const table = tableOf(work, [row('mercury', '', '1 KiB')], new Samples());
    expect(table).toContain('|  |  | tasks/s | ratio | MiB |');
    expect(table).toContain('| 1 KiB | MERCURY | - | - | - |');
  });

  it('keeps its columns whatever a note holds', () => {
    expect(tableOf(work, [row('mercury', 'a|b')], new Samples())).toContain('a\\|b');
  });
});
