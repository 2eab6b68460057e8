import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pruneDeclarations } from './declarations';

const FILES = {
  'index.d.ts': `import './peers';
export { Client } from './client';
`,
  'peers.d.ts': 'export {};\n',
  'client.d.ts': `import { Events } from './events';
import { type Options, type Resolved } from './options';
/** Puts tasks. */
export declare class Client {
    readonly events: Events;
    /** How it is done. */
    private readonly how;
    /** Where it puts them. */
    get where(): string;
    constructor(options: Options);
}
export declare function resolve(options: Options): Resolved;
`,
  'options.d.ts': `/** Where to put them. */
export interface Options {
    level?: Level;
}
type Level = 'high' | 'low';
export interface Resolved {
    level: Level;
}
export {};
`,
  'events.d.ts': `export declare class Events {
}
`,
};

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'mercury-declarations-'))));
afterEach(() => rmSync(folder, { recursive: true }));

it('leaves what an entry point leads to, with its docstrings, and nothing of what only the package uses', () => {
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  pruneDeclarations(folder, [join(folder, 'index.d.ts')]);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  expect(read('index.d.ts')).toBe("export { Client } from './client';\n");
  expect(read('client.d.ts')).toBe(`import { Events } from './events';
import { type Options } from './options';
/** Puts tasks. */
export declare class Client {
    readonly events: Events;
    private readonly how;
    /** Where it puts them. */
    get where(): string;
    constructor(options: Options);
}
`);
  expect(read('options.d.ts')).toBe(`/** Where to put them. */
export interface Options {
    level?: Level;
}
type Level = 'high' | 'low';
export {};
`);
  expect(read('events.d.ts')).toBe(FILES['events.d.ts']);
  expect(existsSync(join(folder, 'peers.d.ts'))).toBe(false);
});
