import { EventEmitter } from 'node:events';
import type { ConfirmChannel } from 'amqplib';
import { fitNew, fitStored } from '../tasks/frame-fit';
import { PublishChannel } from './publish-channel';

const turn = () => new Promise<void>((resolve) => process.nextTick(resolve));

/** As much of an amqplib channel as is used of its inside. */
class FakeChannel extends EventEmitter {
  readonly written: Buffer[] = [];
  readonly confirms: ((nack: unknown) => void)[] = [];
  readonly ch = 1;
  readonly connection = {
    frameMax: 131_072,
    sentSinceLastCheck: false,
    channels: [null, { buffer: { write: (bytes: Buffer) => this.written.push(Buffer.from(bytes)) } }],
  };

  sendMessage(): void {}

  pushConfirmCallback(callback: (nack: unknown) => void): void {
    this.confirms.push(callback);
  }
}

const message = (content: string | Buffer) => ({ exchange: 'e', properties: {}, content: Buffer.from(content) });
let inside: FakeChannel;
let channel: PublishChannel;
let confirmed: string[];

beforeEach(() => {
  inside = new FakeChannel();
  channel = new PublishChannel(inside as unknown as ConfirmChannel);
  confirmed = [];
});

function publish(content: string | Buffer): void {
  channel.publish(message(content), 'key', (nack) => confirmed.push(`${String(content).slice(0, 5)} ${String(nack)}`));
}

it('sends what is published in one turn in one piece, in order, before the event loop goes on', async () => {
  for (const content of ['first', 'second', 'third']) publish(content);
  expect(inside.written).toEqual([]);
  await turn();
  expect(inside.written).toHaveLength(1);
  const text = inside.written[0]!.toString('latin1');
  expect(['first', 'second', 'third'].map((content) => text.indexOf(content) > 0)).toEqual([true, true, true]);
  expect(text.indexOf('first')).toBeLessThan(text.indexOf('second'));
  expect(inside.connection.sentSinceLastCheck).toBe(true);
  publish('fourth');
  await turn();
  expect(inside.written[1]!.toString('latin1')).toContain('fourth');
  expect(inside.written[1]!.toString('latin1')).not.toContain('third');
});

it('asks for the confirms in the order of the publishes', () => {
  for (const content of ['a', 'b']) publish(content);
  for (const confirm of inside.confirms) confirm(null);
  expect(confirmed).toEqual(['a null', 'b null']);
});

it('sends what fills its buffer at once, and what is larger than that whole', async () => {
  const large = Buffer.alloc(200_000, 'x');
  publish('before');
  publish(large);
  publish('after');
  await turn();
  const all = Buffer.concat(inside.written).toString('latin1');
  expect(all.match(/x/g)).toHaveLength(200_000);
  expect(all.indexOf('before')).toBeLessThan(all.indexOf('xxx'));
  expect(all.lastIndexOf('xxx')).toBeLessThan(all.indexOf('after'));
});

it('has room for the frames of a body, however many it takes: what follows is whole', async () => {
  inside.connection.frameMax = 4_096;
  channel = new PublishChannel(inside as unknown as ConfirmChannel);
  // Beyond a whole buffer, and one that ends near its end.
  for (const bytes of [400_000, 60_000, 3_000, 2_000, 65_000]) {
    publish(Buffer.alloc(bytes, 'x'));
    publish('after');
    await turn();
  }
  const all = Buffer.concat(inside.written).toString('latin1');
  expect(all.match(/x/g)).toHaveLength(530_000);
  expect(all.match(/after/g)).toHaveLength(5);
  expect(all.at(-1)).toBe('\xce');
});

it('throws as amqplib does when the channel is closed, and asks for no confirm', () => {
  Object.assign(inside, {
    sendMessage: () => {
      throw new Error('Channel closed');
    },
  });
  expect(() => publish('a')).toThrow('Channel closed');
  expect(inside.confirms).toEqual([]);
});

it('leaves nothing of a message behind that could not be written', async () => {
  expect(() =>
    channel.publish({ ...message('bad'), properties: { type: 'x'.repeat(300) } }, 'k', () => undefined),
  ).toThrow(RangeError);
  publish('good');
  await turn();
  expect(Buffer.concat(inside.written).toString('latin1')).not.toContain('bad');
  expect(inside.confirms).toHaveLength(1);
});

describe('where frames are small', () => {
  const history = JSON.stringify({
    attempts: Array.from({ length: 60 }, (_, index) => ({ attempt: index + 1, code: 'X', message: 'x'.repeat(200) })),
    omitted: 0,
  });
  const stored = { ...message('a'), fit: fitStored, properties: { headers: { 'x-attempt': 7, 'x-history': history } } };

  it('writes of what is stored already as much as fits into one', async () => {
    inside.connection.frameMax = 8_192;
    new PublishChannel(inside as unknown as ConfirmChannel).publish(stored, 'key', () => undefined);
    await turn();
    const written = Buffer.concat(inside.written);
    const methodEnd = 8 + written.readUInt32BE(3);
    expect(written.readUInt32BE(methodEnd + 3) + 8).toBeLessThanOrEqual(8_192);
    expect(written.toString('latin1')).toMatch(/"attempt":1,.*"attempt":60,/);
  });

  it('gives amqplib no more than fits, either', () => {
    const published: { headers: Record<string, string> }[] = [];
    const publish = (...args: unknown[]) => published.push(args[3] as { headers: Record<string, string> });
    const other = { publish, connection: { frameMax: 8_192 } };
    new PublishChannel(other as unknown as ConfirmChannel).publish(stored, 'key', () => undefined);
    expect(published[0]!.headers['x-history']!.length).toBeLessThan(8_192);
    expect(published[0]!.headers['x-history']).toMatch(/"attempt":1,.*"attempt":60,/);
  });

  it('refuses what is new and does not fit, and leaves nothing of it behind', async () => {
    inside.connection.frameMax = 8_192;
    const small = new PublishChannel(inside as unknown as ConfirmChannel);
    const large = { ...message('a'), fit: fitNew, properties: { headers: { large: 'x'.repeat(5_000) } } };
    expect(() => small.publish(large, 'key', () => undefined)).toThrow('at most 4096 fit');
    await turn();
    expect([inside.written, inside.confirms]).toEqual([[], []]);
  });
});

it.each<[string, () => void]>([
  ['closes', () => Object.assign(inside, { sendMessage: () => undefined })],
  ['has closed', () => (inside.connection.channels[1] = null)],
  ['has a connection that closes', () => Object.assign(inside.connection, { sendMethod: () => undefined })],
])('says nothing more on a channel that %s before the turn is over', async (_what, close) => {
  publish('a');
  close();
  await turn();
  expect(inside.written).toEqual([]);
});

it('leaves it to amqplib where its inside is another than the one that is known', () => {
  const published: unknown[][] = [];
  const other = { publish: (...args: unknown[]) => published.push(args) };
  new PublishChannel(other as unknown as ConfirmChannel).publish(message('a'), 'key', () => undefined);
  expect(published).toEqual([['e', 'key', Buffer.from('a'), {}, expect.any(Function)]]);
});
