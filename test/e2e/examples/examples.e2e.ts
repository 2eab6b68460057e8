import { Processes } from '../../support/processes';

const processes = new Processes();
const NAMES = [
  '01-hello',
  '02-acknowledge',
  '03-capacity',
  '04-fanout',
  '05-routing',
  '06-topics',
  '07-headers',
  '08-durability',
  '09-worker',
  '10-logger',
  '11-golevelup',
];

it('lists every example in reading order, with its roles and a line about it', async () => {
  const { stdout } = await processes.run('example');
  const rows = stdout
    .map((line) => /^ {2}(\d\d-\w+) +(\w+(?:, \w+)+) {2,}(\S.*)$/.exec(line))
    .filter((row) => row !== null);
  expect(rows.map(([, name]) => name)).toEqual(NAMES);
  expect(rows.at(-1)?.[2]).toBe('app, order');
});

it.each([
  [['nothing', 'send'], /There is no example "nothing"[^]*01-hello[^]*11-golevelup/],
  [['01-hello'], /Which role of 01-hello: receive or send/],
  [['01-hello', 'nobody'], /01-hello has no role "nobody", only: receive, send/],
])('answers %j with what there is, and exit code 1', async (args, answer) => {
  const example = processes.start('example', ...args);
  expect(await example.exit).toBe(1);
  expect(example.lines.join('\n')).toMatch(answer);
});

it.each(['10', 'logger'])('takes %s for 10-logger', async (name) => {
  // Without its level the role ends before it uses the broker, where the example's own tests run at the same time.
  const example = processes.start('example', name, 'send');
  expect(await example.exit).toBe(1);
  expect(example.lines.at(-1)).toBe('Which level: send info, or send critical?');
});
