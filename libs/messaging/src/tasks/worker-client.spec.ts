import { EventEmitter } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Options } from 'amqplib';
import { FakeLink } from '../../../../test/support/fake-link';
import { Connection } from '../broker/connection';
import { ConfigError, InvalidMessageError, PublishError } from '../errors';
import { WorkerClient } from './worker-client';

/** A broker that accepts every declaration and answers every publish with `nack`. */
class BrokerLink extends FakeLink {
  readonly published: { exchange: string; routingKey: string; content: string; options: Options.Publish }[] = [];
  readonly declared: string[] = [];
  nack: Error | null = null;
  /** Of what was published, while somebody else still holds it. */
  readonly contents: WeakRef<Buffer>[] = [];
  /** Instead of an answer. */
  unanswered: ((nack: Error | null) => void)[] | undefined;
  channels = 0;
  onPublished: () => void = () => undefined;

  override connect(): void {
    const createConfirmChannel = async () => {
      this.channels += 1;
      const declare = async (name: string) => void this.declared.push(name);
      const publish = (
        exchange: string,
        routingKey: string,
        content: Buffer,
        options: Options.Publish,
        confirm: (nack: Error | null) => void,
      ) => {
        this.published.push({ exchange, routingKey, content: content.toString(), options });
        this.contents.push(new WeakRef(content));
        if (this.unanswered) this.unanswered.push(confirm);
        else confirm(this.nack);
        this.onPublished();
      };
      const close = async () => undefined;
      const methods = { assertExchange: declare, assertQueue: declare, bindQueue: close, waitForConfirms: close };
      return Object.assign(new EventEmitter(), { ...methods, publish, close });
    };
    super.connect({ createConfirmChannel });
  }
}

let link: BrokerLink;
let client: WorkerClient;

beforeEach(() => {
  link = new BrokerLink();
  link.connect();
  const connection = new Connection(link);
  const connections = { publishing: connection, consuming: connection };
  client = new WorkerClient({ connections, queueName: 'reports', retryDelaysMs: [500], maxPayloadBytes: 100 });
});
afterEach(() => client.stop());

describe('WorkerClient', () => {
  it('does not hold what it has sent while it waits for the confirm', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    link.unanswered = [];
    const published = new Promise<void>((resolve) => (link.onPublished = resolve));
    const put = client.put({ type: 'report' });
    await published;
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    const held = link.contents.map((content) => content.deref());
    for (const confirm of link.unanswered) confirm(null);
    await put;
    expect(held).toEqual([undefined]);
  });

  it('refuses options that cannot work, before it connects', () => {
    expect(() => new WorkerClient({ queueName: '' })).toThrow(ConfigError);
  });

  it('does not connect before it is used', () => {
    expect(link.channels).toBe(0);
    expect(client.queueName).toBe('reports');
    expect(client.problem?.code).toBe('BROKER_CHANNEL_LOST');
  });

  it('puts the body as it is, to the exchange of tasks, and resolves to the id', async () => {
    const id = await client.put({ type: 'report', month: '2026-11' });
    expect(link.published).toMatchObject([
      {
        exchange: 'mercury.tasks',
        routingKey: 'reports',
        content: '{"type":"report","month":"2026-11"}',
        options: { messageId: id, type: 'report', deliveryMode: 2, mandatory: true },
      },
    ]);
  });

  it.each([
    ['reports.delay.86400000', 30 * 86_400_000, (delayMs: number) => ({ delayMs })],
    ['reports.delay.10000', 59_999, (delayMs: number) => ({ delayMs })],
    ['reports.due', 999, (delayMs: number) => ({ delayMs })],
    ['reports.delay.60000', 300_000, (delayMs: number) => ({ runAt: new Date(Date.now() + delayMs) })],
    ['reports.delay.60000', 300_000, (delayMs: number) => ({ runAt: Date.now() + delayMs })],
  ])('puts a delayed task where it waits, not on the work queue: %s', async (routingKey, delayMs, optionsOf) => {
    const fromMs = Date.now();
    await client.put({ type: 'report' }, optionsOf(delayMs));
    const untilMs = Date.now();
    expect(link.published).toMatchObject([{ exchange: '', routingKey, options: { mandatory: true } }]);
    const headers = link.published[0]?.options.headers as Record<string, number>;
    expect(headers['x-not-before-ms']).toBeGreaterThanOrEqual(fromMs + delayMs);
    expect(headers['x-not-before-ms']).toBeLessThanOrEqual(untilMs + delayMs);
  });

  it.each([[{ delayMs: 0 }], [{ runAt: new Date(0) }], [{ runAt: Date.now() - 1 }]])(
    'puts a task that is due on the work queue: %j',
    async (options) => {
      await client.put({ type: 'report' }, options);
      expect(link.published).toMatchObject([{ exchange: 'mercury.tasks', routingKey: 'reports' }]);
      expect(link.published[0]?.options.headers).not.toHaveProperty('x-not-before-ms');
    },
  );

  it('puts under the id of the caller', async () => {
    expect(await client.put({ type: 'report' }, { id: 'order-1' })).toBe('order-1');
    expect(link.published[0]?.options.messageId).toBe('order-1');
  });

  it('declares its queue before the first task, and only once', async () => {
    await client.put({ type: 'report' });
    await client.put({ type: 'report' });
    const { declared } = link;
    expect(declared.filter((name) => name.startsWith('reports') && !name.includes('delay')).sort()).toEqual([
      'reports',
      'reports.dead',
      'reports.due',
      'reports.retry.500',
      'reports.suspect',
    ]);
    expect(declared.filter((name) => name.includes('delay'))).toEqual([]);
  });

  it('declares the delay levels before the first task that needs one, beside others that need none, and only once', async () => {
    const levels: number[] = [];
    link.onPublished = () => levels.push(link.declared.filter((name) => name.includes('delay')).length);
    await client.put({ type: 'report' }, { delayMs: 999 });
    await Promise.all([
      client.put({ type: 'report' }),
      client.put({ type: 'report' }, { delayMs: 1_900 }),
      client.put({ type: 'report' }, { delayMs: 5_000 }),
    ]);
    await client.put({ type: 'report' }, { delayMs: 5_000 });
    expect(link.published.map(({ routingKey }) => routingKey)).toEqual([
      'reports.due',
      'reports',
      'reports.delay.1000',
      'reports.delay.1000',
      'reports.delay.1000',
    ]);
    expect(levels).toEqual([0, 0, 7, 7, 7]);
  });

  it('declares the delay levels also for a task that comes while the others are being declared', async () => {
    client.start();
    await Promise.resolve();
    await client.put({ type: 'report' }, { delayMs: 5_000 });
    expect(link.published).toHaveLength(1);
    expect(link.declared.filter((name) => name.includes('delay'))).toHaveLength(7);
  });

  it.each([
    ['TASK_INVALID', { month: '2026-11' }, {}],
    ['TASK_INVALID', { type: 'report' }, { id: 'two words' }],
    ['TASK_TOO_LARGE', { type: 'report', text: 'x'.repeat(100) }, {}],
  ])('rejects with %s before anything is sent: %j %j', async (code, body, options) => {
    const put = client.put(body, options);
    await expect(put).rejects.toBeInstanceOf(InvalidMessageError);
    await expect(put).rejects.toHaveProperty('code', code);
    expect(link.channels).toBe(0);
  });

  it('rejects when the broker does not store the task', async () => {
    link.nack = new Error('message nacked');
    const put = client.put({ type: 'report' });
    await expect(put).rejects.toBeInstanceOf(PublishError);
    await expect(put).rejects.toHaveProperty('outcome', 'nacked');
  });

  it('has no problem any more once it is started and connected', async () => {
    const ready = new Promise<void>((resolve) => client.events.once('ready', resolve));
    client.start();
    await ready;
    expect(client.problem).toBeUndefined();
  });

  it('stops once, leaves connections of somebody else open, and puts nothing afterwards', async () => {
    await client.put({ type: 'report' });
    const stopped = client.stop();
    expect(client.stop()).toBe(stopped);
    await stopped;
    expect(link.closes).toBe(0);
    await expect(client.put({ type: 'report' })).rejects.toHaveProperty('code', 'PUBLISH_NOT_SENT');
    expect(link.published).toHaveLength(1);
  });

  it('stops at the end of its block', async () => {
    {
      await using scoped = client;
      await scoped.put({ type: 'report' });
    }
    await expect(client.put({ type: 'report' })).rejects.toHaveProperty('code', 'PUBLISH_NOT_SENT');
  });
});
