import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { projectRoot } from './broker/project';
import { useBroker } from './use-broker';

/**
 * `npm run example -- <name> <role> [arguments]`: runs one role of an example. The folders are the table of contents:
 * each file in `examples/<name>/` is a role, whose default export is the program; the README's heading says what it is.
 */
type Role = (args: string[]) => Promise<void>;

const folder = join(__dirname, '../examples');

async function main([givenName, givenRole, ...args]: string[]): Promise<void> {
  if (givenName === undefined) return console.log(`${usage()}\n\n${list()}`);
  const name = examples().find((known) => isNamed(known, givenName));
  if (name === undefined) throw new Error(`There is no example "${givenName}". There are:\n\n${list()}`);
  if (givenRole === undefined) throw new Error(`Which role of ${name}: ${rolesOf(name).join(' or ')}?\n\n${usage()}`);
  if (!rolesOf(name).includes(givenRole)) {
    throw new Error(`Example ${name} has no role "${givenRole}", only: ${rolesOf(name).join(', ')}.`);
  }
  await useBroker();
  const load = createRequire(__filename);
  const { default: role } = load(join(folder, name, `${givenRole}.js`)) as { default: Role };
  await role(args);
}

/** Also by its number or its word alone. */
function isNamed(name: string, given: string): boolean {
  return name === given || name.slice(0, 2) === given || name.slice(3) === given;
}

function examples(): string[] {
  return readdirSync(folder)
    .filter((name) => /^\d\d-/.test(name))
    .sort();
}

function rolesOf(name: string): string[] {
  return readdirSync(join(folder, name))
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length))
    .sort();
}

function titleOf(name: string): string {
  const readme = join(projectRoot, 'examples', name, 'README.md');
  const [heading = ''] = existsSync(readme) ? readFileSync(readme, 'utf8').split('\n') : [];
  return heading.slice(heading.indexOf(':') + 1).trim();
}

function usage(): string {
  return 'Usage: npm run example -- <name> <role> [arguments], each role in a terminal of its own.';
}

function list(): string {
  const rows = examples().map((name) => [name, rolesOf(name).join(', '), titleOf(name)] as const);
  return rows.map(([name, roles, title]) => `  ${name.padEnd(15)} ${roles.padEnd(20)} ${title}`).join('\n');
}

main(process.argv.slice(2)).then(
  // The broker that this command may have started is held by an open socket: without it the role would not end.
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
