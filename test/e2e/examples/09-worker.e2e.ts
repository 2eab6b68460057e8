import { type ProjectProcess } from '../../support/processes';
import { Example, printedBy } from './example';

const worker = new Example('09-worker');

it('puts exactly {"type":"event"}, and says under which id', async () => {
  const [line] = await worker.ends('client');
  const message = await worker.rabbit.take('worker_metaclass');
  expect(message?.content.toString()).toBe('{"type":"event"}');
  expect(line).toBe(`Put task ${String(message?.properties.messageId)}`);
  expect(await worker.rabbit.depth('worker_metaclass')).toBe(0);
});

it('executes the tasks of the client, two at once', async () => {
  const running = await worker.stays('worker');
  const ids = (await worker.ends('client', '3')).map((line) => line.replace('Put task ', ''));
  await running.untilLines('Finished', 3);
  const printed = printedBy(running);
  expect(printed.filter((line) => line.startsWith('Started')).map((line) => /task (\S+)/.exec(line)?.[1])).toEqual(ids);
  expect(printed[0]).toContain('Started {"type":"event"}');
  expect(printed[1]).toMatch(/^Started .*\(2 of 2\)$/);
  expect(printed[2]).toMatch(/^Finished/);
});

it('at Ctrl-C finishes and acknowledges what runs, and leaves the rest in the queue', async () => {
  const running = await worker.stays('worker');
  await worker.ends('client', '3');
  await running.untilLines('Started', 2);
  // npm passes the terminal's signal on, so that two arrive at once; the kernel may join two equal ones.
  running.signal('SIGINT');
  running.signal('SIGTERM');
  expect(await running.exit).toBe(0);
  expect(finishedBy(running)).toHaveLength(2);

  const next = await worker.stays('worker');
  await worker.ends('client', '1');
  await next.untilLines('Finished', 2);
  next.signal('SIGTERM');
  expect(await next.exit).toBe(0);
  expect(finishedBy(next)).toHaveLength(2);
  expect(new Set([...finishedBy(running), ...finishedBy(next)]).size).toBe(4);
});

const finishedBy = (role: ProjectProcess) => printedBy(role).filter((line) => line.startsWith('Finished'));
