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
