import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './broker/project';

const text = readFileSync(join(projectRoot, 'docs/message-lifecycle.md'), 'utf8');
const named = [...text.matchAll(/\| ([\w./-]+\.(?:e2e|spec)\.ts): "(.+)"\s*\|$/gm)].map(
  ([, file = '', title = '']) => ({
    file: file.includes('/') ? file : `test/e2e/${file}`,
    title,
  }),
);

describe('docs/message-lifecycle.md', () => {
  it('names a test for each transition', () => {
    const rows = text.split('\n').filter((line) => /^\| [a-z]+ → /.test(line));
    expect(rows.length).toBeGreaterThan(20);
    expect(named).toHaveLength(rows.length);
  });

  it.each(named)('names a test that exists: $title', ({ file, title }) => {
    expect(existsSync(join(projectRoot, file))).toBe(true);
    expect(readFileSync(join(projectRoot, file), 'utf8')).toContain(title);
  });
});

it('docs/outbox.md shows the code that is tested', () => {
  const page = readFileSync(join(projectRoot, 'docs/outbox.md'), 'utf8');
  const code = readFileSync(join(projectRoot, 'test/e2e/outbox/outbox.ts'), 'utf8');
  expect(page).toContain(`\`\`\`ts\n${code}\`\`\`\n`);
});

describe('docs/nest.md', () => {
  const page = readFileSync(join(projectRoot, 'docs/nest.md'), 'utf8');
  const options = readFileSync(join(projectRoot, 'libs/messaging/src/tasks/options.ts'), 'utf8');
  const fields = [...options.matchAll(/^export interface Worker(?:Client)?Options .*\{\n([^}]*)^\}/gm)].flatMap(
    ([, body = '']) => [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name = '']) => name),
  );

  it('lists the options of a queue', () => {
    expect(fields.length).toBeGreaterThan(10);
    // A queue says `name` for it.
    const missing = fields.filter((name) => name !== 'queueName' && !page.includes(`\n| \`${name}\` `));
    expect(missing).toEqual([]);
  });
});
