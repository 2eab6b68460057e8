import { readEnvironment } from './environment';
import { Flames } from './flames';
import { GOALS } from './goals';
import { readOptions, type Options } from './options';
import { goalsTableOf, keyOf, resultsOf, type GoalResult } from './report/goals';
import { Samples } from './report/samples';
import { tableOf } from './report/table';
import { Results } from './results';
import { Rig } from './rig';
import { runRounds } from './rounds';
import { endOnSignal } from './signals';

/**
 * `npm run bench`: measures Mercury beside its peers and prints what is printed here, in Markdown; what it does meanwhile
 * goes to stderr. Exit code 1: it could not measure, or with --short a ratio is worse than half of its goal
 * in every round.
 */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return 0;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const rig = await Rig.open(say);
  endOnSignal(() => rig.close());
  try {
    return await measureAll(options, rig, say);
  } finally {
    await rig.close();
  }
}

async function measureAll(options: Options, rig: Rig, say: (line: string) => void): Promise<number> {
  const { works, scale, rounds, folder, hasFlames } = options;
  const samples = new Samples();
  const results = new Results(folder, readEnvironment(rig.brokerVersion), rounds, scale);
  const flames = hasFlames ? new Flames(folder, say) : undefined;
  const failures: string[] = [];
  console.log(results.heading);
  for (const work of works) {
    const plainCases = work.casesOf(scale);
    const cases = flames?.profiled(work, plainCases) ?? plainCases;
    failures.push(...(await runRounds(work, cases, Math.min(rounds, work.mostRounds ?? rounds), rig, samples, say)));
    const table = tableOf(work, cases, samples);
    console.log(table);
    // After each work: what was measured is not lost when somebody has waited long enough.
    await results.write(work, table, samples);
    flames?.write();
  }
  const goals = resultsOf(GOALS, samples);
  console.log(goalsTableOf(goals));
  say(`Written: results.md, results.json and results.svg${hasFlames ? ', and flames/,' : ''} in ${folder}`);
  for (const failure of failures) say(`Could not be measured: ${failure}`);
  return (scale.isShort && isGrosslyMissed(goals, say)) || failures.length > 0 ? 1 : 0;
}

function isGrosslyMissed(goals: readonly GoalResult[], say: (line: string) => void): boolean {
  const ratios = Object.fromEntries(goals.map((goal) => [keyOf(goal), Number(goal.value.toFixed(3))]));
  console.log(JSON.stringify({ benchmark: ratios }));
  const missed = goals.filter((goal) => goal.isGrosslyMissed);
  for (const goal of missed) say(`Worse than half of its goal in every round: ${keyOf(goal)}`);
  return missed.length > 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
