import type { ConfirmChannel, Message } from 'amqplib';
import { publish, refusalOf, type Stage } from './stage';

/** What Mercury relies on in a broker, on plain channels: routing, confirms, declarations, deliveries. */
export function describeChannels(stage: Stage): void {
  let channel: ConfirmChannel;

  beforeEach(async () => {
    channel = await stage.channel();
  });

  describe('an exchange', () => {
    it.each<[string, string, [pattern: string, key: string, fits: boolean][]]>([
      [
        'direct',
        'takes the key as it is',
        [
          ['a.b', 'a.b', true],
          ['a.b', 'a.c', false],
          ['#', 'a', false],
          ['', '', true],
        ],
      ],
      [
        'fanout',
        'asks for no key',
        [
          ['a', 'b', true],
          ['', 'x.y', true],
        ],
      ],
      [
        'topic',
        'takes * for one word and # for any number',
        [
          ['info.*', 'info.disk', true],
          ['info.*', 'info', false],
          ['info.*', 'info.disk.full', false],
          ['*.disk', 'info.disk', true],
          ['#', 'a.b.c', true],
          ['#', '', true],
          ['info.#', 'info', true],
          ['info.#', 'info.a.b', true],
          ['#.full', 'disk.full', true],
          ['#.full', 'full', true],
          ['a.#.z', 'a.z', true],
          ['a.#.z', 'a.b.c.z', true],
          ['a.#.z', 'a.b.c', false],
          ['*.*', 'a', false],
          ['*', '', false],
          ['a..b', 'a..b', true],
        ],
      ],
    ])('of kind %s %s', async (kind, _what, cases) => {
      for (const [pattern, key, fits] of cases) {
        const exchange = await stage.exchange(channel, kind);
        const queue = await stage.queue(channel, { 'x-queue-type': 'classic' });
        await channel.bindQueue(queue, exchange, pattern);
        await publish(channel, exchange, key, 'x');
        expect([kind, pattern, key, await stage.drain(channel, queue)]).toEqual([
          kind,
          pattern,
          key,
          fits ? ['x'] : [],
        ]);
      }
    });

    it.each<[string, Record<string, unknown>, Record<string, unknown>, boolean]>([
      ['all', { 'x-match': 'all', format: 'pdf', kind: 'report' }, { format: 'pdf', kind: 'report', more: 1 }, true],
      ['all, one of them missing', { 'x-match': 'all', format: 'pdf', kind: 'report' }, { format: 'pdf' }, false],
      ['all, without saying so', { format: 'pdf', kind: 'report' }, { format: 'pdf' }, false],
      ['any', { 'x-match': 'any', format: 'pdf', kind: 'report' }, { format: 'pdf' }, true],
      ['any, none of them there', { 'x-match': 'any', format: 'pdf' }, { format: 'zip' }, false],
      ['a number', { 'x-match': 'all', pages: 3 }, { pages: 3 }, true],
      ['a number that is text', { 'x-match': 'all', pages: 3 }, { pages: '3' }, false],
    ])('of kind headers fits %s', async (_what, binding, headers, fits) => {
      const exchange = await stage.exchange(channel, 'headers');
      const queue = await stage.queue(channel);
      await channel.bindQueue(queue, exchange, '', binding);
      await publish(channel, exchange, 'any', 'x', { headers });
      expect(await stage.drain(channel, queue)).toEqual(fits ? ['x'] : []);
    });

    it('gives a queue that is bound more than once one copy', async () => {
      const exchange = await stage.exchange(channel, 'topic');
      const queue = await stage.queue(channel);
      for (const key of ['a.*', 'a.b', '#', '#']) await channel.bindQueue(queue, exchange, key);
      await publish(channel, exchange, 'a.b', 'x');
      expect(await stage.drain(channel, queue)).toEqual(['x']);
    });

    it('gives what fits nothing to its alternate', async () => {
      const alternate = await stage.exchange(channel, 'fanout');
      const exchange = await stage.exchange(channel, 'direct', { alternateExchange: alternate });
      const [unrouted, bound] = [await stage.queue(channel), await stage.queue(channel)];
      await channel.bindQueue(unrouted, alternate, '');
      await channel.bindQueue(bound, exchange, 'known');
      await publish(channel, exchange, 'known', 'a', { mandatory: true });
      await publish(channel, exchange, 'unknown', 'b', { mandatory: true });
      expect([await stage.drain(channel, bound), await stage.drain(channel, unrouted)]).toEqual([['a'], ['b']]);
    });
  });

  describe('a publish', () => {
    it('returns what no queue takes, before it is confirmed, if it was mandatory', async () => {
      const exchange = await stage.exchange(channel, 'direct');
      const order: string[] = [];
      channel.on('return', ({ fields, properties, content }: Message) => {
        const { replyText } = fields as unknown as { replyText: string };
        order.push(`${replyText} ${fields.routingKey} ${properties.messageId} ${content.toString()}`);
      });
      await publish(channel, exchange, 'nobody', 'a', { mandatory: true, messageId: 'one' });
      order.push('confirmed');
      expect(await publish(channel, exchange, 'nobody', 'b')).toBe('confirmed');
      expect(order).toEqual(['NO_ROUTE nobody one a', 'confirmed']);
    });

    it('to an exchange that does not exist closes the channel, and is not confirmed', async () => {
      const closed = new Promise<number | undefined>((resolve) => {
        channel.once('error', (error: Error & { code?: number }) => resolve(error.code));
      });
      expect(await publish(channel, 'conformance-no-such-exchange', 'x', 'x')).toBe('nacked');
      expect(await closed).toBe(404);
      expect(() => channel.publish('', 'x', Buffer.from('x'))).toThrow(/closed/i);
    });

    it('keeps order, content and properties', async () => {
      const queue = await stage.queue(channel);
      const headers = { text: 'ünïcode', number: 7, yes: true, list: [1, 'two'], table: { a: 1 }, gone: undefined };
      const properties = {
        messageId: 'one',
        type: 'report',
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        appId: 'test',
        correlationId: 'c',
        replyTo: 'r',
        timestamp: 1_800_000_000,
        persistent: true,
        headers,
      };
      await publish(channel, '', queue, 'a\u0000ü', properties);
      for (const content of ['b', 'c', '']) await publish(channel, '', queue, content);
      const message = await channel.get(queue);
      if (!message) throw new Error('Nothing there.');
      const { persistent: _persistent, headers: _headers, ...plain } = properties;
      expect(message.content).toEqual(Buffer.from('a\u0000ü'));
      expect(message.properties).toMatchObject({ ...plain, deliveryMode: 2 });
      // RabbitMQ 3.10 says that it was delivered 0 times, if it was asked for.
      const { 'x-delivery-count': _count, ...plainHeaders } = message.properties.headers ?? {};
      expect(plainHeaders).toEqual({
        text: 'ünïcode',
        number: 7,
        yes: true,
        list: [1, 'two'],
        table: { a: 1 },
      });
      expect(message.fields).toMatchObject({ redelivered: false, exchange: '', routingKey: queue, messageCount: 3 });
      channel.ack(message);
      expect(await stage.drain(channel, queue)).toEqual(['b', 'c', '']);
    });

    it('is waited for, with all the others', async () => {
      const queue = await stage.queue(channel);
      for (let number = 0; number < 50; number++) channel.sendToQueue(queue, Buffer.from(String(number)));
      await channel.waitForConfirms();
      expect(await channel.checkQueue(queue)).toMatchObject({ queue, messageCount: 50, consumerCount: 0 });
    });
  });

  describe('a declaration', () => {
    const work = { 'x-delivery-limit': 20, 'x-overflow': 'reject-publish', 'x-max-length': 1_000 };

    it('may be repeated as it is', async () => {
      const queue = await stage.queue(channel, work);
      await publish(channel, '', queue, 'x');
      const again = await channel.assertQueue(queue, {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', ...work },
      });
      expect(again).toEqual({ queue, messageCount: 1, consumerCount: 0 });
    });

    it.each<[string, Record<string, unknown>, string]>([
      ['one more', { ...work, 'x-message-ttl': 5 }, "'x-message-ttl' for queue"],
      ['one less', { 'x-delivery-limit': 20, 'x-max-length': 1_000 }, "'x-overflow' for queue"],
      ['another value', { ...work, 'x-max-length': 7 }, "'x-max-length' for queue"],
    ])('with other arguments is refused, and says which: %s', async (_what, args, text) => {
      const queue = await stage.queue(channel, work);
      const heard: string[] = [];
      channel.on('error', ({ message }: Error) => heard.push(message));
      const options = { durable: true, arguments: { 'x-queue-type': 'quorum', ...args } };
      const refused = channel.assertQueue(queue, options);
      await expect(refused).rejects.toMatchObject({ code: 406, message: expect.stringContaining(text) as string });
      expect(heard).toEqual([expect.stringContaining('PRECONDITION_FAILED - inequivalent arg')]);
      expect(() => channel.sendToQueue(queue, Buffer.from('x'))).toThrow(/closed/i);
    });

    it('of an exchange with another type is refused', async () => {
      const exchange = await stage.exchange(channel, 'direct');
      await expect(channel.assertExchange(exchange, 'fanout')).rejects.toMatchObject({
        code: 406,
        message: expect.stringContaining("inequivalent arg 'type'") as string,
      });
    });

    it('of a binding needs both its ends', async () => {
      const queue = await stage.queue(channel);
      expect(await refusalOf(channel.bindQueue(queue, 'conformance-no-such-exchange', ''))).toBe(404);
      const other = await stage.channel();
      const exchange = await stage.exchange(other, 'direct');
      expect(await refusalOf(other.bindQueue('conformance-no-such-queue', exchange, ''))).toBe(404);
    });

    it('that only looks finds what is there, and no queue or exchange that is not', async () => {
      const exchange = await stage.exchange(channel, 'topic');
      await channel.checkExchange(exchange);
      expect(await refusalOf(channel.checkExchange('conformance-no-such-exchange'))).toBe(404);
      expect(await refusalOf((await stage.channel()).checkQueue('conformance-no-such-queue'))).toBe(404);
    });

    it('of an exclusive queue keeps other connections away, and ends with its own', async () => {
      const { connections, close } = await stage.environment.connect();
      const own = await stage.channel(connections.consuming);
      const { queue } = await own.assertQueue('', { exclusive: true, durable: false });
      expect(queue).toMatch(/^amq\.gen-/);
      expect(await refusalOf(channel.checkQueue(queue))).toBe(405);
      expect(await refusalOf((await stage.channel()).deleteQueue(queue))).toBe(405);
      const second = await stage.channel(connections.consuming);
      expect((await second.checkQueue(queue)).messageCount).toBe(0);
      await close();
      const gone = async () => (await refusalOf((await stage.channel()).checkQueue(queue))) === 404;
      await stage.until('it is gone', gone);
    });
  });
}
