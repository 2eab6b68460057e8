import { ratioOf, spreadOf, type Spread } from './statistics';

/** One measurement of one case in one round. */
export interface Sample {
  work: string;
  variant: string;
  row: string;
  round: number;
  metrics: Readonly<Record<string, number>>;
}

/** Which measurement: a metric of one row. */
export interface Place {
  work: string;
  variant: string;
  row: string;
  metric: string;
}

/** All that was measured. */
export class Samples {
  private readonly all: Sample[] = [];

  add(sample: Sample): void {
    this.all.push(sample);
  }

  get list(): readonly Sample[] {
    return this.all;
  }

  /** Over the rounds; undefined for what was not measured. */
  spread(place: Place): Spread | undefined {
    const values = [...this.byRound(place).values()];
    return values.length === 0 ? undefined : spreadOf(values);
  }

  ratio(place: Place, baseline: Place): Spread | undefined {
    return ratioOf(this.byRound(place), this.byRound(baseline));
  }

  private byRound({ work, variant, row, metric }: Place): Map<number, number> {
    const found = this.all.filter(
      (sample) => sample.work === work && sample.variant === variant && sample.row === row && metric in sample.metrics,
    );
    return new Map(found.map(({ round, metrics }) => [round, metrics[metric] ?? NaN]));
  }
}
