import { Collector } from '../../support/until';
import { Example, printedBy } from './example';

const logger = new Example('10-logger');

it('gives both levels to every listener', async () => {
  const listeners = [await logger.stays('listen'), await logger.stays('listen')];
  expect(await logger.ends('send', 'info')).toEqual(['Sent info']);
  expect(await logger.ends('send', 'critical')).toEqual(['Sent critical']);
  for (const listener of listeners) {
    await listener.until('critical {');
    expect(printedBy(listener)).toEqual(['info {"info":true}', 'critical {"critical":true}']);
    listener.signal('SIGINT');
    expect(await listener.exit).toBe(0);
  }
});

it('publishes with the level as routing key and exactly the JSON object as body', async () => {
  // The first one declares the exchange; that nobody listens to it is no error.
  expect(await logger.ends('send', 'info')).toEqual(['Sent info']);
  const received = new Collector<[string, string]>();
  await logger.rabbit.use(async (channel) => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const level of ['info', 'critical']) await channel.bindQueue(queue, 'logger_metaclass', level);
    await channel.consume(queue, (message) => {
      if (message) received.push([message.fields.routingKey, message.content.toString()]);
    });
    await logger.ends('send', 'info');
    await logger.ends('send', 'critical');
    await received.atLeast(2);
  });
  expect(received.values).toEqual([
    ['info', '{"info":true}'],
    ['critical', '{"critical":true}'],
  ]);
});

it('knows two levels only: another one ends with exit code 1 and a sentence', async () => {
  const sender = logger.processes.start('example', '10-logger', 'send', 'something');
  expect(await sender.exit).toBe(1);
  expect(sender.lines.at(-1)).toBe('Which level: send info, or send critical?');
});
