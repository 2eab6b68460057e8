import { Deafness, untilDeaf } from './deafness';

it('a consumer is deaf when two looks in a row find that it got nothing of what waits', () => {
  const deafness = new Deafness();
  expect(deafness.isDeaf(5, true)).toBe(false);
  expect(deafness.isDeaf(5, true)).toBe(true);
});

it.each<[string, (deafness: Deafness) => boolean]>([
  ['it got something meanwhile', (deafness) => (deafness.heard(), deafness.isDeaf(5, true))],
  ['nothing waits', (deafness) => deafness.isDeaf(0, true)],
  ['it has no room for more', (deafness) => deafness.isDeaf(5, false)],
])('it is not when %s, and then is looked at from the beginning', (_what, look) => {
  const deafness = new Deafness();
  deafness.isDeaf(5, true);
  expect(look(deafness)).toBe(false);
  expect(deafness.isDeaf(5, true)).toBe(false);
  expect(deafness.isDeaf(5, true)).toBe(true);
});

it('a consumer that got nothing anew either is suspected half as often each time, until it gets something', () => {
  const deafness = new Deafness();
  const looksUntilDeaf = () => {
    deafness.begin();
    for (let looks = 1; ; looks++) if (deafness.isDeaf(5, true)) return looks;
  };
  expect([1, 2, 3].map(looksUntilDeaf)).toEqual([2, 4, 8]);
  for (let time = 0; time < 10; time++) looksUntilDeaf();
  expect(looksUntilDeaf()).toBe(150);
  deafness.heard();
  deafness.isDeaf(5, true);
  expect(looksUntilDeaf()).toBe(2);
});

it('what was before it consumed anew says nothing', () => {
  const deafness = new Deafness();
  deafness.isDeaf(5, true);
  deafness.begin();
  expect(deafness.isDeaf(5, true)).toBe(false);
});

describe('untilDeaf', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const channelWith = (messageCount: number) => ({
    checkQueue: jest.fn(async (queue: string) => ({ queue, messageCount, consumerCount: 0 })),
  });

  it('tells of a consumer that gets nothing of what waits', async () => {
    const watched = untilDeaf(channelWith(3), 'reports', new Deafness(), () => true);
    await jest.advanceTimersByTimeAsync(4_000);
    expect(await watched).toMatchObject({ code: 'BROKER_CHANNEL_LOST' });
  });

  it('asks the broker seldom while nothing is to be had, and not at all while messages come or there is no room', async () => {
    const end = new AbortController();
    const channel = channelWith(0);
    const deafness = new Deafness();
    let hasRoom = true;
    const watched = untilDeaf(channel, 'reports', deafness, () => hasRoom, end.signal);
    await jest.advanceTimersByTimeAsync(14_000 + 80_000);
    expect(channel.checkQueue).toHaveBeenCalledTimes(3 + 8);
    const hearing = setInterval(() => deafness.heard(), 500);
    await jest.advanceTimersByTimeAsync(20_000);
    clearInterval(hearing);
    expect(channel.checkQueue).toHaveBeenCalledTimes(11);
    hasRoom = false;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(channel.checkQueue).toHaveBeenCalledTimes(11);
    end.abort();
    expect(await watched).toBeUndefined();
  });

  it('finds a deaf one within twelve seconds, also when nothing came for long before', async () => {
    const channel = channelWith(0);
    const watched = untilDeaf(channel, 'reports', new Deafness(), () => true);
    await jest.advanceTimersByTimeAsync(60_000);
    channel.checkQueue.mockResolvedValue({ queue: 'reports', messageCount: 1, consumerCount: 0 });
    await jest.advanceTimersByTimeAsync(12_000);
    expect(await watched).toMatchObject({ code: 'BROKER_CHANNEL_LOST' });
  });

  it('ends with its signals, and with a channel that answers nothing any more', async () => {
    const lost = new AbortController();
    const watched = untilDeaf(channelWith(0), 'reports', new Deafness(), () => true, lost.signal);
    await jest.advanceTimersByTimeAsync(20_000);
    lost.abort();
    expect(await watched).toBeUndefined();
    const closed = {
      checkQueue: () => {
        throw new Error('Channel closed');
      },
    };
    const ended = untilDeaf(closed, 'reports', new Deafness(), () => true);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await ended).toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  });
});
