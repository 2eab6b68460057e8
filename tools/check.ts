import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './broker/project';

/**
 * `npm test`: everything that a change must pass, one after another, to the end also when something fails. The last line
 * counts tests and faults, and format, lint and types as one each.
 */
interface Check {
  name: string;
  script: string;
  /** It counts its own tests, into the file that these arguments name. */
  countInto?: (file: string) => string[];
}

interface Count {
  passed: number;
  failed: number;
  /** Nothing was run, because this machine lacks what it needs; the check itself has said what. */
  leftOut?: boolean;
}

const LEFT_OUT_CODE = 3;

/** Jest prints its JSON on stdout, unless told a file; all else it prints on stderr. */
const jestInto = (file: string) => ['--json', `--outputFile=${file}`];

const CHECKS: readonly Check[] = [
  { name: 'format', script: 'test:format' },
  { name: 'lint', script: 'test:lint' },
  { name: 'types', script: 'test:types' },
  { name: 'unit tests', script: 'test:unit', countInto: jestInto },
  { name: 'end-to-end tests', script: 'test:e2e', countInto: jestInto },
  { name: 'package (short)', script: 'test:package', countInto: (file) => ['--short', '--json', file] },
  { name: 'faults (short)', script: 'test:faults', countInto: (file) => ['--short', '--json', file] },
];

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mercury-check-'));
  const total: Count = { passed: 0, failed: 0 };
  const summary: string[] = [];
  try {
    for (const check of CHECKS) {
      const startedAtMs = performance.now();
      console.log(`\n=== ${check.name}`);
      const { passed, failed, leftOut } = await run(check, join(folder, `${check.script.replace(':', '-')}.json`));
      total.passed += passed;
      total.failed += failed;
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
      const mark = leftOut ? 'left out' : `${seconds.padStart(6)} s`;
      summary.push(`${failed > 0 ? '✘' : leftOut ? '-' : '✔'} ${check.name.padEnd(18)} ${mark}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`\n${summary.join('\n')}\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
}

async function run(check: Check, resultFile: string): Promise<Count> {
  const { countInto, script } = check;
  const code = await runNpm(['run', '--silent', script, ...(countInto ? ['--', ...countInto(resultFile)] : [])]);
  if (!countInto) return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  if (code === LEFT_OUT_CODE) return { passed: 0, failed: 0, leftOut: true };
  const count = countOf(resultFile);
  // A run that ends badly although no test failed has failed, too: a suite that could not be loaded, for example.
  return code === 0 || count.failed > 0 ? count : { ...count, failed: 1 };
}

function countOf(resultFile: string): Count {
  try {
    const result = JSON.parse(readFileSync(resultFile, 'utf8')) as Record<string, number>;
    return {
      passed: result['numPassedTests'] ?? 0,
      failed: (result['numFailedTests'] ?? 0) + (result['numRuntimeErrorTestSuites'] ?? 0),
    };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

function runNpm(args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn('npm', args, { cwd: projectRoot, stdio: 'inherit', shell: process.platform === 'win32' });
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    process.once('SIGINT', pass).once('SIGTERM', pass);
    child.once('error', () => resolve(1));
    child.once('close', (code) => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      resolve(code ?? 1);
    });
  });
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
