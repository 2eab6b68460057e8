import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ToolError, projectRoot } from './broker/project';
import { pruneDeclarations } from './declarations';

/**
 * `npm run package`: builds the packages that users install, and packs each into dist/packages. What npm publishes is what stands in
 * these tarballs, and nothing else.
 */
interface Package {
  name: string;
  /** Where its package.json and README stand. */
  source: string;
  /** Whether others import it. */
  hasTypes: boolean;
  /** Programs that are started by their name. */
  programs: readonly string[];
}

/** In the order in which one needs the other, and in which their tarballs are named at the end. */
const PACKAGES: readonly Package[] = [
  { name: 'messaging', source: 'libs/messaging', hasTypes: true, programs: [] },
  { name: 'cli', source: 'apps/cli', hasTypes: false, programs: ['main.js'] },
];

const out = join(projectRoot, 'dist', 'packages');

function buildPackages(log: (line: string) => void): string[] {
  rmSync(out, { recursive: true, force: true });
  return PACKAGES.map((each) => build(each, log));
}

function build({ name, source, hasTypes, programs }: Package, log: (line: string) => void): string {
  const folder = join(out, name);
  mkdirSync(folder, { recursive: true });
  const config = join(source, 'tsconfig.package.json');
  // The docstrings are in the declarations, where editors show them.
  run('npx', ['tsc', '-p', config, '--removeComments']);
  if (hasTypes) {
    run('npx', ['tsc', '-p', config, '--declaration', '--emitDeclarationOnly']);
    pruneDeclarations(
      join(folder, 'dist'),
      entriesOf(source).map((entry) => join(folder, entry)),
    );
  }
  copyFileSync(join(source, 'package.json'), join(folder, 'package.json'));
  copyFileSync(join(source, 'README.md'), join(folder, 'README.md'));
  for (const file of ['LICENSE', 'CHANGELOG.md']) copyFileSync(file, join(folder, file));
  for (const program of programs) {
    const path = join(folder, 'dist', program);
    writeFileSync(path, `#!/usr/bin/env node\n${readFileSync(path, 'utf8')}`);
    chmodSync(path, 0o755);
  }
  const packed = run('npm', ['pack', '--json', '--pack-destination', out, folder]);
  const [{ filename, size }] = JSON.parse(packed) as [{ filename: string; size: number }];
  log(`${filename}: ${Math.round(size / 1_000)} kB`);
  return join(out, filename);
}

function entriesOf(source: string): string[] {
  const { exports } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as {
    exports: Record<string, { types?: string }>;
  };
  return Object.values(exports).flatMap(({ types }) => types ?? []);
}

function run(command: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: projectRoot, encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new ToolError('PACKAGE_FAILED', `${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
}

const tarballs = buildPackages(console.log);
console.log(tarballs.map((file) => relative(projectRoot, file)).join('\n'));
