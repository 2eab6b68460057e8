import { until } from '../../support/until';
import { Example, printedBy } from './example';

const capacity = new Example('03-capacity');
/** Longer than the test: such a task ends with its process. */
const LONG_MS = '120000';

it('gives nothing more to a busy receiver of capacity 1, but to an idle one', async () => {
  const first = await capacity.stays('receive');
  await capacity.ends('send', LONG_MS);
  await first.until('Started task 1');
  const idle = await capacity.stays('receive');
  await capacity.ends('send', '1', '1', '1');
  await idle.untilLines('Finished', 3);
  expect(printedBy(first)).toEqual(['Started task 1 (1 of 1 running)']);
  expect(printedBy(idle)).toEqual(
    [1, 2, 3].flatMap((n) => [`Started task ${n} (1 of 1 running)`, `Finished task ${n}`]),
  );
});

it('leaves what a busy receiver of capacity 1 does not take in the queue', async () => {
  const busy = await capacity.stays('receive');
  await capacity.ends('send', LONG_MS, '1', '1');
  await busy.until('Started task 1');
  await until('two tasks wait', async () => (await capacity.rabbit.depth('example_capacity')) === 2);
  expect(printedBy(busy)).toEqual(['Started task 1 (1 of 1 running)']);
});

it('runs as many tasks at once as its capacity, and the next one when one has finished', async () => {
  const receiver = await capacity.stays('receive', '3');
  await capacity.ends('send', '2000', LONG_MS, LONG_MS, '1');
  await receiver.until('Finished task 4');
  const printed = printedBy(receiver);
  expect(printed.slice(0, 3).sort()).toEqual(
    [1, 2, 3].map((n) => expect.stringContaining(`Started task ${n}`) as string),
  );
  expect(printed.slice(2)).toEqual([
    'Started task 3 (3 of 3 running)',
    'Finished task 1',
    'Started task 4 (3 of 3 running)',
    'Finished task 4',
  ]);
});

it('refuses a capacity that is no number, with exit code 1', async () => {
  const receiver = capacity.processes.start('example', '03-capacity', 'receive', 'many');
  expect(await receiver.exit).toBe(1);
  expect(receiver.lines.at(-1)).toContain('capacity must be a whole number');
});
