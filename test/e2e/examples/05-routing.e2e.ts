import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Example, printedBy } from './example';

const routing = new Example('05-routing');
const NOBODY = 'Nobody takes something: the broker returned the event (PUBLISH_RETURNED)';
let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'mercury-routing-')), 'critical.jsonl');
});

afterEach(() => rm(join(path, '..'), { recursive: true }));

it('gives critical to the file, info and critical to stdout, and something to nobody', async () => {
  const stdout = await routing.stays('stdout');
  const file = await routing.stays('file', path);
  expect(await routing.ends('send', 'info', 'all is well')).toEqual(['Sent info: all is well']);
  expect(await routing.ends('send', 'something', 'hidden')).toEqual([NOBODY]);
  expect(await routing.ends('send', 'critical', 'disk full')).toEqual(['Sent critical: disk full']);
  await Promise.all([stdout.until('disk full'), file.until('disk full')]);
  expect(printedBy(stdout)).toEqual(['Received info: all is well', 'Received critical: disk full']);
  expect(printedBy(file)).toEqual([`Wrote critical: disk full to ${path}`]);
  expect(await readFile(path, 'utf8')).toBe('{"level":"critical","text":"disk full"}\n');
});

it('tells the sender of info that nobody takes it while only the file listens', async () => {
  const file = await routing.stays('file', path);
  const [line] = await routing.ends('send', 'info');
  expect(line).toBe('Nobody takes info: the broker returned the event (PUBLISH_RETURNED)');
  file.signal('SIGTERM');
  expect(await file.exit).toBe(0);
});
