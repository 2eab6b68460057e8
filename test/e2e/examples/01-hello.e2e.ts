import { until } from '../../support/until';
import { Example, printedBy } from './example';

const hello = new Example('01-hello');

it('keeps what was sent without a receiver, for the first one that comes', async () => {
  expect(await hello.ends('send')).toEqual(['Sent Hello', 'Sent World']);
  const receiver = await hello.stays('receive');
  await receiver.until('Received World');
  expect(receiver.stdout).toEqual(['Waiting for messages. To exit press Ctrl-C', 'Received Hello', 'Received World']);
});

it('gives the messages to several receivers in turn', async () => {
  const receivers = [await hello.stays('receive'), await hello.stays('receive')];
  await hello.ends('send');
  await Promise.all(receivers.map((receiver) => receiver.until(/^Received/)));
  expect(receivers.map(printedBy).sort()).toEqual([['Received Hello'], ['Received World']]);
});

it('receives what is sent while it waits', async () => {
  const receiver = await hello.stays('receive');
  await hello.ends('send');
  await receiver.until('Received World');
  expect(printedBy(receiver)).toEqual(['Received Hello', 'Received World']);
});

it.each(['SIGINT', 'SIGTERM'] as const)('ends with exit code 0 on %s, and takes nothing more', async (signal) => {
  const receiver = await hello.stays('receive');
  receiver.signal(signal);
  expect(await receiver.exit).toBe(0);
  await hello.ends('send');
  await until('both messages wait', async () => (await hello.rabbit.depth('example_hello')) === 2);
});
