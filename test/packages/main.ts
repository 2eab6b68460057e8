import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { acquireBroker } from '../../tools/broker';
import { projectRoot } from '../../tools/broker/project';
import { FreshApp } from './fresh-app';
import { ROWS, type Row } from './rows';

/**
 * `npm run test:package`: installs the package as a team would, in fresh applications in folders of their own, and runs a task, a
 * retry and an event there. Options: --short (what is part of `npm test`), --only TEXT (part of a row's name), --markdown FILE,
 * --json FILE.
 */
interface Result {
  row: Row;
  reasons: readonly string[];
  tookMs: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      markdown: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const nameOf = ({ name, manager }: Row) => `${name}, ${manager}`;
  const { only } = values;
  const rows = ROWS.filter(
    (row) => (!values.short || row.isShort) && (only === undefined || nameOf(row).includes(only)),
  );
  if (rows.length === 0) throw new Error('There is no such row.');
  const tarball = packed();
  const broker = await acquireBroker({ log: console.log });
  const results: Result[] = [];
  try {
    for (const row of rows) {
      const startedAtMs = performance.now();
      const app = new FreshApp(row, tarball, broker.amqpUrl);
      const reasons = await app.try().finally(() => app.remove());
      results.push({ row, reasons, tookMs: performance.now() - startedAtMs });
      console.log(
        `${reasons.length === 0 ? 'ok    ' : 'FAILED'} ${nameOf(row)}${reasons.map((each) => `\n       ${each}`).join('')}`,
      );
    }
  } finally {
    await broker.release();
  }
  const failed = results.filter(({ reasons }) => reasons.length > 0).length;
  const heading = `RabbitMQ ${broker.version}, Node.js ${process.versions.node}.`;
  if (values.markdown) writeFileSync(values.markdown, markdownOf(results, heading));
  // The counters have the names of Jest's own.
  if (values.json)
    writeFileSync(values.json, JSON.stringify({ numPassedTests: results.length - failed, numFailedTests: failed }));
  console.log(`${results.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** The tarball of the library, made by the command that makes what is published. */
function packed(): string {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const { stdout } = spawnSync('npm', ['run', '--silent', 'package'], {
    cwd: projectRoot,
    encoding: 'utf8',
    stdio: [...stdio],
  });
  console.log(stdout.trim());
  const tarball = stdout.split('\n').find((line) => /mercury-messaging-[^ ]+\.tgz$/.test(line));
  if (tarball === undefined) throw new Error('`npm run package` names no tarball of the library.');
  return join(projectRoot, tarball);
}

function markdownOf(results: readonly Result[], heading: string): string {
  const lines = results.map(({ row, reasons, tookMs }) => {
    const compilers = (row.compilers ?? []).map(({ typescript, moduleResolution }) => {
      const version = row.dependencies[typescript]?.replace(/^npm:typescript@/, '').replace('~', '') ?? '';
      return `${version} ${moduleResolution}`;
    });
    const result = reasons.length === 0 ? 'ok' : `FAILED: ${reasons[0]?.split('\n')[0]}`;
    return `| ${row.name} | ${row.manager} | ${compilers.join(', ') || '-'} | ${result} | ${(tookMs / 1_000).toFixed(0)} s |`;
  });
  return [
    heading,
    '',
    '| application | installed by | TypeScript | result | took |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
  ].join('\n');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
