import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headingOf, readEnvironment } from './environment';
import { GOALS } from './goals';
import { readOptions, type Options } from './options';
import { goalsTableOf, keyOf, resultsOf } from './report/goals';
import { plotOf } from './report/plot';
import { Samples } from './report/samples';
import { tableOf } from './report/table';
import { Rig } from './rig';
import { runRounds } from './rounds';
import { endOnSignal } from './signals';

/**
 * `npm run bench`: measures Mercury beside its peers and prints what is printed here, in Markdown; what it does meanwhile
 * goes to stderr. Exit code 1: it could not measure, or with --short a ratio is worse than half of its goal.
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
  const { works, scale, rounds, folder } = options;
  const samples = new Samples();
  const environment = readEnvironment(rig.brokerVersion);
  const report = [headingOf(environment), ''];
  console.log(report.join('\n'));
  for (const work of works) {
    const cases = work.casesOf(scale);
    await runRounds(work, cases, Math.min(rounds, work.mostRounds ?? rounds), rig, samples, say);
    const table = tableOf(work, cases, samples);
    report.push(table);
    console.log(table);
  }
  const results = resultsOf(GOALS, samples);
  const goals = goalsTableOf(results);
  report.push(goals);
  console.log(goals);
  mkdirSync(folder, { recursive: true });
  const json = { environment, rounds, isShort: scale.isShort, goals: results, samples: samples.list };
  writeFileSync(join(folder, 'results.json'), JSON.stringify(json, null, 2));
  writeFileSync(join(folder, 'results.md'), report.join('\n'));
  writeFileSync(join(folder, 'results.svg'), await plotOf(works, scale, samples));
  say(`Written: results.md, results.json and results.svg in ${folder}`);
  if (!scale.isShort) return 0;
  const ratios = Object.fromEntries(results.map((result) => [keyOf(result), Number(result.value.toFixed(3))]));
  console.log(JSON.stringify({ benchmark: ratios }));
  const missed = results.filter(({ isGrosslyMissed }) => isGrosslyMissed);
  for (const result of missed) say(`Worse than half of its goal: ${keyOf(result)}`);
  return missed.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
