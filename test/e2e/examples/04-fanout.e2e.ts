import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/until';
import { Example, printedBy } from './example';

const fanout = new Example('04-fanout');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mercury-fanout-'));
});

afterEach(() => rm(folder, { recursive: true }));

it('gives every event to every listener, each from its own temporary queue', async () => {
  const path = join(folder, 'events.jsonl');
  const stdout = await fanout.stays('stdout');
  const file = await fanout.stays('file', path);
  const queues = await fanout.vhost.queuesBoundTo('example_fanout');
  const temporary = { exclusive: true, durable: false };
  expect(await Promise.all(queues.map((queue) => fanout.vhost.lifetimeOf(queue)))).toEqual([temporary, temporary]);

  expect(await fanout.ends('send', 'one')).toEqual(['Sent one']);
  await fanout.ends('send', 'two');
  await Promise.all([stdout.until('Received two'), file.until('Wrote two')]);
  expect(printedBy(stdout)).toEqual(['Received one', 'Received two']);
  expect(printedBy(file)).toEqual([`Wrote one to ${path}`, `Wrote two to ${path}`]);
  expect(await readFile(path, 'utf8')).toBe('{"text":"one"}\n{"text":"two"}\n');

  for (const listener of [stdout, file]) listener.signal('SIGINT');
  expect(await Promise.all([stdout.exit, file.exit])).toEqual([0, 0]);
  // The broker deletes them a moment after it has closed the connection.
  await until('the queues are gone', async () => (await fanout.vhost.queuesBoundTo('example_fanout')).length === 0);
});

it('does not mind that nobody listens, and keeps nothing for who comes later', async () => {
  expect(await fanout.ends('send', 'early')).toEqual(['Sent early']);
  const stdout = await fanout.stays('stdout');
  await fanout.ends('send', 'late');
  await stdout.until('Received late');
  expect(printedBy(stdout)).toEqual(['Received late']);
});
