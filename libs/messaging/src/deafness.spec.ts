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
