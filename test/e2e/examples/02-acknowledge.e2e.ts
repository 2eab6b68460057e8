import { until } from '../../support/until';
import { Example, printedBy } from './example';

const acknowledge = new Example('02-acknowledge');
const DELETED = 'The broker has deleted it already: if this process dies now, the task is lost.';

it('gives the task of a receiver that was killed in mid-task to another one', async () => {
  const killed = await acknowledge.stays('receive');
  await acknowledge.ends('send', '3000');
  await killed.until('Received a task of 3000 ms');
  const other = await acknowledge.stays('receive');
  killed.signal('SIGKILL');
  expect(await killed.exit).toBe('SIGKILL');
  await other.until('Done');
  expect(printedBy(killed)).toEqual(['Received a task of 3000 ms']);
  expect(printedBy(other)).toEqual([
    'Received a task of 3000 ms',
    'It comes again: who had it before died without an ack.',
    'Done',
  ]);
});

it('does not give a task again that was done and acknowledged', async () => {
  const receiver = await acknowledge.stays('receive');
  await acknowledge.ends('send', '1');
  await receiver.until('Done');
  receiver.signal('SIGTERM');
  expect(await receiver.exit).toBe(0);

  // Sent later, so it would arrive after the first one if that came back.
  await acknowledge.ends('send', '2');
  const other = await acknowledge.stays('receive');
  await other.until('Done');
  expect(printedBy(other)).toEqual(['Received a task of 2 ms', 'Done']);
});

it('loses the task of a receiver without ack that was killed in mid-task, and says why', async () => {
  const killed = await acknowledge.stays('receive', '--no-ack');
  await acknowledge.ends('send', '3000');
  await killed.until(DELETED);
  killed.signal('SIGKILL');
  expect(await killed.exit).toBe('SIGKILL');
  expect(printedBy(killed)).toEqual(['Received a task of 3000 ms', DELETED]);

  // Sent later, so it would arrive after the lost one if that came back.
  await acknowledge.ends('send', '2');
  const other = await acknowledge.stays('receive');
  await other.until('Done');
  expect(printedBy(other)).toEqual(['Received a task of 2 ms', 'Done']);
});

it('takes all that waits at once without ack, because nothing limits how much is unacknowledged', async () => {
  await acknowledge.ends('send', '3000');
  await acknowledge.ends('send', '2000');
  const receiver = await acknowledge.stays('receive', '--no-ack');
  await receiver.untilLines('Done', 2);
  expect(printedBy(receiver)).toEqual([
    'Received a task of 3000 ms',
    DELETED,
    'Received a task of 2000 ms',
    DELETED,
    'Done',
    'Done',
  ]);
  receiver.signal('SIGINT');
  expect(await receiver.exit).toBe(0);
});

it('ends at once at a second Ctrl-C, and its task goes to another one', async () => {
  const impatient = await acknowledge.stays('receive');
  await acknowledge.ends('send', '120000');
  await impatient.until('Received');
  let code: number | NodeJS.Signals | undefined;
  void impatient.exit.then((ended) => (code = ended));
  await until('the receiver has ended', () => {
    impatient.signal('SIGINT');
    return code !== undefined;
  });
  expect(code).toBe(1);
  const other = await acknowledge.stays('receive');
  await other.until('It comes again');
});
