import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@mercury/messaging';
import { schedulesFromFile } from './schedules-file';

const folder = mkdtempSync(join(tmpdir(), 'mercury-schedules-'));
const file = join(folder, 'schedules.json');
const good = { name: 'nightly', cron: '0 3 * * *', type: 'sleep', body: { ms: 5 } };

afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(content: unknown): string[] {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  try {
    schedulesFromFile(file);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

it('reads the example that comes with the producer', () => {
  const schedules = schedulesFromFile(join(__dirname, '../../schedules.example.json'));
  expect(schedules.map(({ name }) => name)).toEqual(['heartbeat', 'nightly-report']);
});

it.each([[[]], [[good]]])('accepts %j', (content) => {
  expect(problemsOf(content)).toEqual([]);
});

it('names every problem of every schedule, of its times as of its task', () => {
  expect(
    problemsOf([
      { ...good, cron: '* *', body: { ms: -1, us: 2 } },
      { ...good, name: 'b', type: 'unheard' },
    ]),
  ).toEqual([
    expect.stringMatching(/^SCHEDULES_FILE schedules\[0\] cron must be five fields/),
    'SCHEDULES_FILE schedules[0]/body/us unknown field "us"',
    expect.stringMatching(/^SCHEDULES_FILE schedules\[0\]\/body\/ms /),
    expect.stringMatching(/^SCHEDULES_FILE schedules\[1\]\/type type must be one of/),
  ]);
});

it.each([
  ['is no JSON', '[', /^SCHEDULES_FILE cannot be read as JSON: /],
  ['is no list', {}, /^SCHEDULES_FILE schedules must be a list of at most 1000$/],
  ['has something else in its list', [null], /^SCHEDULES_FILE schedules\[0\] must be an object$/],
])('refuses a file that %s', (_what, content, problem) => {
  expect(problemsOf(content)).toEqual([expect.stringMatching(problem)]);
});

it('refuses a file that is not there', () => {
  expect(() => schedulesFromFile(join(folder, 'none'))).toThrow(/SCHEDULES_FILE cannot be read as JSON: ENOENT/);
});
