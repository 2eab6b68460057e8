import type { Samples } from './report/samples';
import type { Rig } from './rig';
import type { Case, Work } from './works/work';

/**
 * Measures each case once per round, all cases before the next round, and each round begins with another one: so that
 * what the machine does beside it falls on all alike. Resolves to what could not be measured.
 */
export async function runRounds(
  work: Work,
  cases: readonly Case[],
  rounds: number,
  rig: Rig,
  samples: Samples,
  say: (line: string) => void,
): Promise<string[]> {
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const { variant, row, measure } of rotated(cases, round - 1)) {
      const what = `${work.name} ${round}/${rounds} ${[variant, row].join(' ').trim()}`;
      try {
        const metrics = await measure(rig);
        samples.add({ work: work.name, variant, row, round, metrics });
        const numbers = Object.entries(metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`);
        say(`${what}: ${numbers.join(', ')}`);
      } catch (error) {
        // The rounds of an hour are not given up for one of them.
        failures.push(what);
        say(`${what}: ${String(error)}`);
      }
    }
  }
  return failures;
}

export function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
