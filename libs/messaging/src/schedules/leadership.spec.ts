import { EventEmitter } from 'node:events';
import type { ConfirmChannel, Message } from 'amqplib';
import type { MercuryError } from '../errors';
import { encodeTask } from '../tasks/codec';
import { Leadership } from './leadership';
import { decodeState, encodeState, type ScheduleState } from './schedule-state';

interface Published {
  messageId: string;
  content: Buffer;
  confirm: (nack?: unknown) => void;
}

/** A broker whose confirms and deliveries come when the test says. */
class FakeChannel extends EventEmitter {
  readonly published: Published[] = [];
  readonly acked: string[] = [];
  deliver: (message: Message | null) => void = () => undefined;

  async consume(_queue: string, onMessage: (message: Message | null) => void): Promise<void> {
    this.deliver = onMessage;
  }

  publish(_exchange: string, _key: string, content: Buffer, properties: { messageId: string }, confirm: () => void) {
    this.published.push({ messageId: properties.messageId, content, confirm });
  }

  ack(message: Message): void {
    this.acked.push(String(message.properties.messageId));
  }
}

const RULE = '0 * * * * UTC';
const of = (doneMs: number) => ({ rule: RULE, doneMs, seenMs: 1 });

let channel: FakeChannel;
let state: ScheduleState;
let problems: MercuryError[];
let leadership: Leadership;

const message = (messageId: string, content = encodeState(new Map())) =>
  ({ content, properties: { messageId } }) as unknown as Message;

const arrives = ({ messageId, content }: Published) => channel.deliver(message(messageId, content));

async function stand(): Promise<void> {
  const standing = leadership.stand();
  await Promise.resolve();
  channel.published[0]!.confirm();
  await standing;
}

/** It leads: its claim, the first that it published, has come back and a state is stored after it. */
async function lead(): Promise<Published> {
  await stand();
  arrives(channel.published[0]!);
  const stored = leadership.store();
  channel.published[1]!.confirm();
  await stored;
  return channel.published[1]!;
}

beforeEach(() => {
  channel = new FakeChannel();
  state = new Map();
  problems = [];
  leadership = new Leadership(channel as unknown as ConfirmChannel, 'q', state, (problem) => problems.push(problem));
});

const isLeading = async () => {
  const late = new AbortController();
  const led = leadership.untilLeading(late.signal).then(() => !late.signal.aborted);
  setImmediate(() => late.abort());
  return led;
};

describe('a replica', () => {
  it('leads when its own claim comes to it', async () => {
    await stand();
    expect(await isLeading()).toBe(false);
    arrives(channel.published[0]!);
    expect(await isLeading()).toBe(true);
  });

  it('whose first claim went to a predecessor claims again, and leads only when it has seen all before that', async () => {
    await stand();
    channel.deliver(message('left', encodeState(new Map([['a', of(7)]]))));
    expect(channel.published).toHaveLength(2);
    expect(await isLeading()).toBe(false);
    channel.deliver(message('left too', encodeState(new Map([['b', of(8)]]))));
    arrives(channel.published[1]!);
    expect(await isLeading()).toBe(true);
    expect([...state]).toEqual([
      ['a', of(7)],
      ['b', of(8)],
    ]);
    expect(channel.acked).toEqual([]);
  });

  it('fails to stand when the queue takes nothing', async () => {
    const standing = leadership.stand();
    await Promise.resolve();
    channel.published[0]!.confirm(new Error('nack'));
    await expect(standing).rejects.toMatchObject({ code: 'BROKER_CHANNEL_LOST' });
  });
});

describe('a leader', () => {
  it('lets go of older states only when a newer one is stored, also when that comes in before its confirm', async () => {
    const first = await lead();
    expect(channel.acked).toEqual([channel.published[0]!.messageId]);
    arrives(first);
    const stored = leadership.store();
    const second = channel.published[2]!;
    arrives(second);
    expect(channel.acked).not.toContain(first.messageId);
    second.confirm();
    await stored;
    expect(channel.acked).toContain(first.messageId);
    expect(channel.acked).not.toContain(second.messageId);
  });

  it('keeps what another knows better until that is in a stored state', async () => {
    await lead();
    const stored = leadership.store();
    channel.deliver(message('better', encodeState(new Map([['a', of(9)]]))));
    channel.published[2]!.confirm();
    await stored;
    expect(channel.acked).not.toContain('better');
    const again = leadership.store();
    channel.published[3]!.confirm();
    await again;
    expect(decodeState(channel.published[3]!.content)).toEqual(new Map([['a', of(9)]]));
    expect(channel.acked).toContain('better');
  });

  it('drops the claims of others at once, and what is no state with a word', async () => {
    await lead();
    channel.deliver(message('claim'));
    channel.deliver(message('noise', Buffer.from('hello')));
    expect(channel.acked).toEqual(expect.arrayContaining(['claim', 'noise']));
    expect(problems.map(({ code }) => code)).toEqual(['SCHEDULE_STATE_INVALID']);
  });
});

describe('a put', () => {
  const put = () => leadership.put(encodeTask({ type: 'report' }, { id: 't' }, 1_000));

  it('resolves with its confirm', async () => {
    const putting = put();
    channel.published[0]!.confirm();
    await putting;
  });

  it('is returned when no queue takes it', async () => {
    const putting = put();
    channel.emit('return', message('t'));
    channel.published[0]!.confirm();
    await expect(putting).rejects.toMatchObject({ code: 'PUBLISH_RETURNED' });
  });

  it('is nacked by a full queue', async () => {
    const putting = put();
    channel.published[0]!.confirm(new Error('nack'));
    await expect(putting).rejects.toMatchObject({ code: 'PUBLISH_NACKED' });
  });

  it.each([
    ['the channel closes', () => channel.emit('close')],
    ['the broker cancels the consumer', () => channel.deliver(null)],
  ])('is unknown when %s first, and none is sent afterwards', async (_what, end) => {
    await stand();
    const putting = put();
    end();
    await expect(putting).rejects.toMatchObject({ code: 'PUBLISH_UNKNOWN' });
    const sent = channel.published.length;
    await expect(put()).rejects.toMatchObject({ code: 'PUBLISH_UNKNOWN' });
    expect(channel.published).toHaveLength(sent);
  });
});
