import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headingOf, type Environment } from './environment';
import { GOALS } from './goals';
import { goalsTableOf, resultsOf } from './report/goals';
import { plotOf } from './report/plot';
import type { Samples } from './report/samples';
import type { Scale, Work } from './works/work';

/** The files that a run leaves: its tables, all its numbers, and a picture. */
export class Results {
  readonly heading: string;
  private readonly works: Work[] = [];
  private readonly tables: string[] = [];

  constructor(
    private readonly folder: string,
    private readonly environment: Environment,
    private readonly rounds: number,
    private readonly scale: Scale,
  ) {
    this.heading = `${headingOf(environment)}\n`;
    mkdirSync(folder, { recursive: true });
  }

  /** Everything that is known once this work is measured, too. */
  async write(work: Work, table: string, samples: Samples): Promise<void> {
    this.works.push(work);
    this.tables.push(table);
    const { environment, rounds, scale } = this;
    const goals = resultsOf(GOALS, samples);
    this.put('results.md', [this.heading, ...this.tables, goalsTableOf(goals)].join('\n'));
    const numbers = { environment, rounds, isShort: scale.isShort, goals, samples: samples.list };
    this.put('results.json', JSON.stringify(numbers, null, 2));
    this.put('results.svg', await plotOf(this.works, scale, samples));
  }

  private put(name: string, content: string): void {
    writeFileSync(join(this.folder, name), content);
  }
}
