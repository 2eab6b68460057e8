import { DeadLetters, DiscardTask, EventBus, durableQueueOf } from '@mercury/messaging';
import { Processes } from '../support/processes';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const LEVELS_MS = [100];

const processes = new Processes();
let rabbit: Rabbit;

beforeAll(async () => {
  rabbit = await Rabbit.connect();
});
afterAll(() => rabbit.close());

/** `npm run mercury -- subscription remove …` to its end. */
async function remove(...args: string[]) {
  const command = processes.start('mercury', 'subscription', 'remove', ...args, '--retry-delays', LEVELS_MS.join());
  return { code: await command.exit, stdout: command.stdout.join(''), lines: command.lines.join('\n') };
}

it('a subscription that is given up is removed with one command: what is in it only if that is wanted', async () => {
  const name = uniqueName('shop');
  const queueName = durableQueueOf(name, 'billing');
  await using bus = new EventBus({ rabbitUrl: rabbitUrl(), name }, 'topic');
  try {
    const poison = () => Promise.reject(new DiscardTask('no'));
    const options = { durable: 'billing', retryDelaysMs: LEVELS_MS };
    const subscription = bus.subscribe([{ key: 'order.*' }], poison, options);
    await subscription.ready;
    await bus.publish('order.paid', { n: 1 }, { mandatory: true });
    await using letters = new DeadLetters({ rabbitUrl: rabbitUrl(), queueName });
    await until('it is dead', async () => (await letters.list()).matched === 1);
    await subscription.close();
    await bus.publish('order.paid', { n: 2 }, { mandatory: true });
    const refused = await remove(name, 'billing');
    expect(refused).toMatchObject({ code: 1, lines: expect.stringContaining('SUBSCRIPTION_NOT_EMPTY') as string });
    expect(refused.lines).toContain('1 event and 1 dead letter');
    const removed = await remove(name, 'billing', '--discard', '-o', 'json');
    expect(removed.code).toBe(0);
    expect(JSON.parse(removed.stdout)).toEqual({ wasThere: true, events: 1, deadLetters: 1 });
    expect(await rabbit.depth(queueName)).toBeUndefined();
  } finally {
    await rabbit.deleteQueues(queueName, LEVELS_MS);
    await rabbit.use((channel) => channel.deleteExchange(name));
  }
});
