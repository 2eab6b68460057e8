import type { ConfirmChannel } from 'amqplib';
import { consume, publish, refusalOf, type Stage } from './stage';

/** What Mercury relies on in a queue: who gets what, what comes again, and where what is dead goes. */
export function describeDeliveries(stage: Stage): void {
  let channel: ConfirmChannel;

  beforeEach(async () => {
    channel = await stage.channel();
  });

  async function filled(contents: readonly string[], args: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const queue = await stage.queue(channel, args);
    for (const content of contents) await publish(channel, '', queue, content, { messageId: content });
    return queue;
  }

  describe('a consumer', () => {
    it('gets no more than its prefetch, and the next one for each that it settles', async () => {
      const queue = await filled(['a', 'b', 'c', 'd']);
      const heard = await consume(channel, queue, { prefetch: 2 });
      await stage.until('two came', () => heard.messages.length === 2);
      await stage.untilDepth(channel, queue, 2);
      channel.ack(heard.messages[0]!);
      await stage.until('the third came', () => heard.messages.length === 3);
      expect(heard.contents).toEqual(['a', 'b', 'c']);
      channel.ack(heard.messages[2]!, true);
      await stage.until('the fourth came', () => heard.messages.length === 4);
      expect(heard.messages.map(({ fields }) => fields.deliveryTag)).toEqual([1, 2, 3, 4]);
    });

    it('takes turns with others', async () => {
      const queue = await stage.queue(channel);
      const all = [
        await consume(channel, queue, { ack: true }),
        await consume(await stage.channel(), queue, { ack: true }),
      ];
      for (let number = 0; number < 20; number++) await publish(channel, '', queue, String(number));
      await stage.until('all came', () => all.flatMap(({ contents }) => contents).length === 20);
      for (const { contents } of all) expect(contents).toHaveLength(10);
    });

    it('gets nothing after its cancel, and keeps what it has', async () => {
      const queue = await filled(['a']);
      const heard = await consume(channel, queue);
      await stage.until('it came', () => heard.messages.length === 1);
      await channel.cancel(heard.consumerTag);
      await publish(channel, '', queue, 'b');
      await stage.untilDepth(channel, queue, 1);
      channel.ack(heard.messages[0]!);
      expect([heard.contents, await stage.drain(channel, queue)]).toEqual([['a'], ['b']]);
    });

    it('is told when its queue is deleted', async () => {
      const queue = await stage.queue(channel);
      const heard = await consume(channel, queue);
      await (await stage.channel()).deleteQueue(queue);
      await stage.until('it is told', () => heard.isCancelled);
    });

    it('with a single active one beside it waits until that is gone', async () => {
      const queue = await stage.queue(channel, { 'x-single-active-consumer': true });
      const first = await consume(channel, queue);
      const second = await consume(await stage.channel(), queue);
      for (const content of ['a', 'b']) await publish(channel, '', queue, content);
      await stage.until('both came', () => first.messages.length === 2);
      expect(second.messages).toEqual([]);
      const sender = await stage.channel();
      await channel.close();
      await stage.until('they came again', () => second.messages.length === 2);
      expect(second.contents).toEqual(['a', 'b']);
      await publish(sender, '', queue, 'c');
      await stage.until('the next came', () => second.messages.length === 3);
    });

    it('that is exclusive keeps others away', async () => {
      const { queue } = await channel.assertQueue('', { exclusive: true, durable: false });
      await channel.consume(queue, () => undefined, { exclusive: true });
      expect(await refusalOf(channel.consume(queue, () => undefined))).toBe(403);
    });

    it('that acks what it does not have loses its channel', async () => {
      const queue = await filled(['a']);
      const heard = await consume(channel, queue);
      await stage.until('it came', () => heard.messages.length === 1);
      const code = new Promise((resolve) =>
        channel.once('error', (error: Error & { code?: number }) => resolve(error.code)),
      );
      channel.ack(heard.messages[0]!);
      channel.ack(heard.messages[0]!);
      expect(await code).toBe(406);
    });
  });

  describe('a message that was delivered', () => {
    it('comes again when its channel ends, in order and counted', async () => {
      const queue = await filled(['a', 'b', 'c']);
      const lost = await stage.channel();
      const first = await consume(lost, queue, { prefetch: 2 });
      await stage.until('two came', () => first.messages.length === 2);
      expect(first.messages.map(({ properties }) => properties.headers?.['x-delivery-count'] as unknown)).toEqual([
        undefined,
        undefined,
      ]);
      await lost.close();
      await stage.untilDepth(channel, queue, 3);
      const second = await consume(channel, queue);
      await stage.until('all came', () => second.messages.length === 3);
      expect(second.contents).toEqual(['a', 'b', 'c']);
      expect(second.messages.map(({ fields }) => fields.redelivered)).toEqual([true, true, false]);
      expect(second.messages.map(({ properties }) => properties.headers?.['x-delivery-count'] as unknown)).toEqual([
        1,
        1,
        undefined,
      ]);
    });

    it('tells a count of its publisher until it is delivered again, and then that of the broker', async () => {
      const queue = await stage.queue(channel);
      await publish(channel, '', queue, 'a', { headers: { 'x-delivery-count': 7 } });
      const told: unknown[] = [];
      for (let times = 0; times < 2; times++) {
        const own = await stage.channel();
        const heard = await consume(own, queue);
        await stage.until('it came', () => heard.messages.length === 1);
        const [{ fields, properties } = { fields: undefined, properties: undefined }] = heard.messages;
        told.push([fields?.redelivered, properties?.headers?.['x-delivery-count']]);
        await own.close();
        await stage.untilDepth(channel, queue, 1);
      }
      expect(told).toEqual([
        [false, 7],
        [true, 1],
      ]);
    });

    it('comes again before the others when it is given back', async () => {
      const queue = await filled(['a', 'b', 'c', 'd'], { 'x-delivery-limit': 20 });
      const heard = await consume(channel, queue, { prefetch: 2 });
      await stage.until('two came', () => heard.messages.length === 2);
      await channel.cancel(heard.consumerTag);
      channel.nackAll(true);
      await stage.untilDepth(channel, queue, 4);
      expect(await stage.drain(channel, queue)).toEqual(['a', 'b', 'c', 'd']);
    });

    it('is dead when it came too often without an end', async () => {
      const dead = await stage.queue(channel);
      const args = { 'x-delivery-limit': 2, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
      const queue = await filled(['a'], args);
      for (let deaths = 0; deaths < 3; deaths++) {
        const lost = await stage.channel();
        await stage.until('it is there', async () => (await lost.get(queue)) !== false);
        await lost.close();
      }
      await stage.untilDepth(channel, dead, 1);
      const letter = await channel.get(dead);
      expect(letter && letter.properties.headers?.['x-death']).toMatchObject([
        { count: 1, reason: 'delivery_limit', queue, exchange: '', 'routing-keys': [queue] },
      ]);
      expect(letter && letter.properties).toMatchObject({
        messageId: 'a',
        headers: { 'x-first-death-reason': 'delivery_limit' },
      });
    });

    it('is dead when it is rejected for good', async () => {
      const dead = await stage.queue(channel);
      const queue = await filled(['a', 'b', 'c'], { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead });
      for (const how of ['nack', 'reject', 'ack'] as const) {
        const message = await channel.get(queue);
        if (!message) throw new Error('Nothing there.');
        if (how === 'nack') channel.nack(message, false, false);
        if (how === 'reject') channel.reject(message, false);
        if (how === 'ack') channel.ack(message);
      }
      await stage.untilDepth(channel, dead, 2);
      expect(await stage.drain(channel, dead)).toEqual(['a', 'b']);
    });
  });

  describe('a queue', () => {
    it('with a time to live gives what is too old to where its dead letters go, in order and not early', async () => {
      const back = await stage.queue(channel);
      const args = { 'x-message-ttl': 150, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': back };
      const beganMs = stage.environment.nowMs();
      const queue = await filled(['a', 'b', 'c'], {
        ...args,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      });
      await stage.untilDepth(channel, back, 3);
      expect(stage.environment.nowMs() - beganMs).toBeGreaterThanOrEqual(150);
      const first = await channel.get(back);
      expect(first && first.properties.headers).toMatchObject({
        'x-death': [{ count: 1, reason: 'expired', queue }],
        'x-first-death-queue': queue,
      });
      expect(await stage.drain(channel, back)).toEqual(['b', 'c']);
      expect((await channel.checkQueue(queue)).messageCount).toBe(0);
    });

    it('that is full and refuses says so, and takes again what fits', async () => {
      const queue = await stage.queue(channel, { 'x-max-length': 3, 'x-overflow': 'reject-publish' });
      const taken: string[] = [];
      // A quorum queue may take some more than its limit before it refuses (RabbitMQ docs, quorum queues).
      await stage.until('it refuses', async () => {
        const result = await publish(channel, '', queue, String(taken.length));
        if (result === 'confirmed') taken.push(String(taken.length));
        return result === 'nacked';
      });
      expect(taken.length).toBeGreaterThanOrEqual(3);
      expect(await stage.drain(channel, queue)).toEqual(taken);
      await stage.until('it takes again', async () => (await publish(channel, '', queue, 'again')) === 'confirmed');
    });

    it('that is full and drops keeps the newest', async () => {
      const { queue } = await channel.assertQueue('', {
        exclusive: true,
        durable: false,
        arguments: { 'x-max-length': 2, 'x-overflow': 'drop-head' },
      });
      for (const content of ['a', 'b', 'c', 'd']) expect(await publish(channel, '', queue, content)).toBe('confirmed');
      expect(await stage.drain(channel, queue)).toEqual(['c', 'd']);
    });

    it('can be emptied and deleted, and says how much was in it', async () => {
      const queue = await filled(['a', 'b']);
      expect(await channel.purgeQueue(queue)).toEqual({ messageCount: 2 });
      await publish(channel, '', queue, 'c');
      expect(await channel.deleteQueue(queue)).toEqual({ messageCount: 1 });
      expect(await channel.deleteQueue(queue)).toEqual({ messageCount: 0 });
      expect(await refusalOf(channel.checkQueue(queue))).toBe(404);
    });
  });
}
