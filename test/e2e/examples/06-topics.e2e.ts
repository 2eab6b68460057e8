import { Example, printedBy } from './example';

const topics = new Example('06-topics');
/** Fits each pattern below and is sent last: who has received it has received all that came before. */
const LAST = 'info.info';
const KEYS = ['info.disk', 'disk.info', 'info', 'info.disk.full', 'disk.critical', LAST];

it.each([
  ['info.*', ['info.disk', LAST]],
  ['*.info', ['disk.info', LAST]],
  ['#', KEYS],
  ['info.#', ['info.disk', 'info', 'info.disk.full', LAST]],
])('receives with the pattern %s the keys %j', async (pattern, expected) => {
  const listener = await topics.stays('listen', pattern);
  expect(await topics.ends('send', ...KEYS)).toEqual(KEYS.map((key) => `Sent ${key}`));
  await listener.until(`Received ${LAST}`);
  expect(printedBy(listener)).toEqual(expected.map((key) => `Received ${key}`));
});

it('receives an event once that fits several patterns', async () => {
  const listener = await topics.stays('listen', 'info.*', '*.info');
  await topics.ends('send', LAST, 'disk.critical', 'disk.info');
  await listener.until('Received disk.info');
  expect(printedBy(listener)).toEqual([`Received ${LAST}`, 'Received disk.info']);
  listener.signal('SIGINT');
  expect(await listener.exit).toBe(0);
});
