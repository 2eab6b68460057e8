import { deadQueueOf, WorkerClient } from '@mercury/messaging';
import { bury, contentsOf, type Letter } from '../support/letters';
import { Processes } from '../support/processes';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const LEVELS_MS = [100];
const DAY_MS = 1_800_000_000_000;

const processes = new Processes();
let rabbit: Rabbit;
let queueName: string;

beforeAll(async () => {
  rabbit = await Rabbit.connect();
});

beforeEach(async () => {
  queueName = uniqueName('dead-cli');
  processes.env['QUEUE_NAME'] = queueName;
  await using client = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS });
  await client.put({ type: 'first' });
  await rabbit.take(queueName);
});

afterEach(() => rabbit.deleteQueues(queueName, LEVELS_MS));
afterAll(() => rabbit.close());

const depth = () => rabbit.depth(deadQueueOf(queueName));
const buried = (count: number, more: Partial<Letter> = {}) =>
  bury(
    rabbit,
    queueName,
    Array.from({ length: count }, (_, number) => ({ id: `letter-${number}`, deadAtMs: DAY_MS + number, ...more })),
  );

/** `npm run mercury -- dead …` to its end. */
async function dead(...args: string[]) {
  const command = processes.start('mercury', 'dead', ...args);
  return { code: await command.exit, stdout: command.stdout, lines: command.lines };
}

it('lists letters as a table or as JSON, and says by its exit code whether there are any', async () => {
  expect(await dead('list')).toMatchObject({ code: 3, stdout: [] });
  await buried(3, {
    body: '{"month":11,"escape":"\u009b2J"}',
    headers: { 'x-error-message': 'Gone.\u001b[2J\nAgain.' },
  });
  const { code, stdout, lines } = await dead('list', '--limit', '2');
  expect(code).toBe(0);
  expect(stdout[0]).toMatch(/^DEAD AT +ID +TYPE +CODE +ATTEMPT +REPLAYS +MESSAGE$/);
  expect(stdout[1]).toMatch(/^2027-\S+Z +letter-0 +report +GONE +3 +0 +Gone. \[2J Again.$/);
  expect(stdout).toHaveLength(3);
  const cursor = /--cursor (\S+)\.$/.exec(lines.join('\n'))?.[1] ?? '';
  const rest = await dead('list', '--cursor', cursor, '-o', 'json');
  expect(JSON.parse(rest.stdout.join(''))).toMatchObject({ letters: [{ id: 'letter-2' }], matched: 3, held: 3 });
  expect(await dead('list', '--code', 'NONE', '-o', 'json')).toMatchObject({ code: 3 });
  const shown = await dead('show', 'letter-1');
  expect(shown.code).toBe(0);
  expect(shown.stdout.join('\n')).toMatch(/why +GONE: Gone.[^]*attempt 3 at 2027-[^]*"month": 11/);
  expect(shown.stdout.join('\n')).not.toMatch(/\p{Cc}(?<!\n)/u);
  expect(await dead('show', 'none')).toMatchObject({ code: 3 });
});

it('replays at a rate, after a dry run that changes nothing', async () => {
  await buried(5);
  const dry = await dead('replay', '--from', String(DAY_MS + 2), '--dry-run');
  expect(dry).toMatchObject({ code: 0, stdout: ['letter-2', 'letter-3', 'letter-4'] });
  expect(await depth()).toBe(5);
  const some = await dead('replay', '--from', String(DAY_MS + 2), '--rate', '50', '-o', 'json');
  expect(some.code).toBe(0);
  expect(JSON.parse(some.stdout.join(''))).toEqual({ matched: 3, held: 5, truncated: false, replayed: 3 });
  expect(await dead('replay', 'letter-0')).toMatchObject({ code: 0 });
  expect(await dead('replay', 'letter-0')).toMatchObject({ code: 3 });
  expect([await depth(), await rabbit.depth(queueName)]).toEqual([1, 4]);
});

it('loses nothing when a replay is killed (-9) midway, and repeats at most one task', async () => {
  await buried(200);
  const replay = processes.start('mercury', 'dead', 'replay', '--all', '--rate', '100');
  await until('some are replayed', async () => ((await rabbit.depth(queueName)) ?? 0) >= 20, 20_000);
  replay.signal('SIGKILL');
  expect(await replay.exit).toBe('SIGKILL');
  await until('the broker has taken back what the process held', async () => {
    return ((await depth()) ?? 0) + ((await rabbit.depth(queueName)) ?? 0) >= 200;
  });
  const idsOf = async (queue: string) =>
    (await contentsOf(rabbit, queue)).map((text) => (JSON.parse(text) as [string])[0]);
  const [waiting, replayed] = [await idsOf(deadQueueOf(queueName)), await idsOf(queueName)];
  expect(new Set([...waiting, ...replayed]).size).toBe(200);
  expect(waiting.length + replayed.length).toBeLessThanOrEqual(201);
  expect(replayed.length).toBeGreaterThanOrEqual(20);
  expect(waiting.length).toBeGreaterThan(0);
  // And the next one does the rest.
  const rest = await dead('replay', '--all', '--rate', '1000', '-o', 'json');
  expect(rest.code).toBe(0);
  expect(JSON.parse(rest.stdout.join(''))).toMatchObject({ matched: waiting.length, replayed: waiting.length });
  expect(await depth()).toBe(0);
});

it('ends a replay cleanly at Ctrl-C, says how far it came, and keeps others out until then', async () => {
  await buried(50);
  const replay = processes.start('mercury', 'dead', 'replay', '--all', '--rate', '5');
  await until('some are replayed', async () => ((await rabbit.depth(queueName)) ?? 0) >= 2, 20_000);
  const busy = await dead('list');
  expect(busy.code).toBe(1);
  expect(busy.lines.join('\n')).toContain('DEAD_LETTERS_BUSY');
  replay.signal('SIGINT');
  expect(await replay.exit).toBe(130);
  const replayed = Number(/(\d+) of 50 replayed\./.exec(replay.lines.join('\n'))?.[1]);
  expect(await rabbit.depth(queueName)).toBe(replayed);
  expect(await depth()).toBe(50 - replayed);
});

it('discards one letter at once, and more only with --yes', async () => {
  await buried(4);
  expect(await dead('discard', 'letter-0')).toMatchObject({ code: 0 });
  const unsure = await dead('discard', '--code', 'GONE');
  expect(unsure.code).toBe(2);
  expect(unsure.lines.join('\n')).toContain('3 letters would be discarded for good: confirm with --yes');
  expect(await dead('discard', '--code', 'GONE', '--dry-run')).toMatchObject({
    code: 0,
    stdout: ['letter-1', 'letter-2', 'letter-3'],
  });
  expect(await depth()).toBe(3);
  const sure = await dead('discard', 'letter-1', 'letter-2', '--yes', '-o', 'json');
  expect(sure.code).toBe(0);
  expect(JSON.parse(sure.stdout.join(''))).toMatchObject({ discarded: 2, ids: ['letter-1', 'letter-2'] });
  expect(await dead('discard', 'letter-1')).toMatchObject({ code: 3 });
  expect(await depth()).toBe(1);
});

it('tells a wrong command line (2) from a failure (1)', async () => {
  const wrong = [['nonsense'], ['replay'], ['discard'], ['list', '-o', 'xml'], ['list', '--from', 'yesterday']];
  for (const args of [...wrong, ['list', '--limit', '5000'], ['list', '--cursor', 'x']]) {
    expect([args, (await dead(...args)).code]).toEqual([args, 2]);
  }
  expect((await dead('--help')).code).toBe(0);
  const unnamed = await dead('list', '--queue', 'amq.mine');
  expect(unnamed).toMatchObject({ code: 2 });
  expect(unnamed.lines.at(-1)).toMatch(/^CONFIG_INVALID: --queue /);
  const missing = await dead('list', '--queue', `${queueName}-none`);
  expect(missing.code).toBe(1);
  expect(missing.lines.join('\n')).toContain('DEAD_QUEUE_MISSING');
});

it('tells its version', async () => {
  const command = processes.start('mercury', '--version');
  expect(await command.exit).toBe(0);
  expect(command.stdout).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
});
