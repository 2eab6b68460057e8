import { getEventListeners } from 'node:events';
import type { ConfirmChannel, GetMessage } from 'amqplib';
import { Deliveries } from '../broker/deliveries';
import { Suspects, type SuspectHost } from './suspects';

/** A queue of suspects, and what the worker does for them, as a journal. */
function stage(queued: number) {
  const journal: string[] = [];
  const leaving = new AbortController();
  const lost = new AbortController();
  let left = queued;
  let taken = 0;
  const host: SuspectHost = {
    leaving: leaving.signal,
    pause: async () => void journal.push('pause'),
    resume: async () => void journal.push('resume'),
    runAlone: async ({ message }) => void journal.push(`alone ${message.fields.deliveryTag}`),
  };
  const looks = jest.fn(async () => ({ messageCount: left }));
  const channel = {
    checkQueue: looks,
    get: async () => {
      if (left === 0) return false;
      left -= 1;
      taken += 1;
      return { fields: { deliveryTag: taken } } as GetMessage;
    },
  } as unknown as ConfirmChannel;
  const suspects = new Suspects('tasks', host);
  const deliveries = new Deliveries({ ack: () => undefined, nack: () => undefined }, lost.signal);
  const watching = suspects.watch(channel, deliveries, lost.signal);
  return { journal, leaving, lost, host, suspects, watching, looks, add: () => (left += 1) };
}

describe('suspects', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate'] }));
  afterEach(() => jest.useRealTimers());

  it('run one by one while the worker takes nothing else, and then it goes on', async () => {
    const { journal, leaving, watching } = stage(3);
    await jest.advanceTimersByTimeAsync(3_000);
    expect(journal).toEqual(['pause', 'alone 1', 'alone 2', 'alone 3', 'resume']);
    leaving.abort();
    await watching;
  });

  it('are looked for from time to time, and pause nobody where there are none', async () => {
    const { journal, leaving, watching, add } = stage(0);
    await jest.advanceTimersByTimeAsync(20_000);
    expect(journal).toEqual([]);
    add();
    await jest.advanceTimersByTimeAsync(15_000);
    expect(journal).toEqual(['pause', 'alone 1', 'resume']);
    leaving.abort();
    await watching;
  });

  it('are looked for every ten seconds where there have been none, and every two after there was one', async () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const { leaving, watching, suspects, looks } = stage(0);
    await jest.advanceTimersByTimeAsync(14_000);
    expect(looks).toHaveBeenCalledTimes(3);
    await jest.advanceTimersByTimeAsync(80_000);
    expect(looks).toHaveBeenCalledTimes(11);
    suspects.look();
    await jest.advanceTimersByTimeAsync(0);
    expect(looks).toHaveBeenCalledTimes(12);
    await jest.advanceTimersByTimeAsync(4_000);
    expect(looks).toHaveBeenCalledTimes(13);
    leaving.abort();
    await watching;
    random.mockRestore();
  });

  it('are looked for at once when there is one', async () => {
    const { journal, leaving, watching, suspects } = stage(1);
    await jest.advanceTimersByTimeAsync(0);
    suspects.look();
    await jest.advanceTimersByTimeAsync(0);
    expect(journal).toEqual(['pause', 'alone 1', 'resume']);
    leaving.abort();
    await watching;
  });

  it('have their turn, but leave one to the others after five seconds', async () => {
    const { journal, leaving, watching, host } = stage(1_000);
    host.runAlone = async () => {
      journal.push('alone');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    };
    await jest.advanceTimersByTimeAsync(9_500);
    const turn = journal.slice(0, journal.indexOf('resume') + 1);
    expect(turn).toEqual(['pause', ...Array<string>(5).fill('alone'), 'resume']);
    leaving.abort();
    await jest.advanceTimersByTimeAsync(2_000);
    await watching;
  });

  it('of a lost channel are left where they are, and nothing is resumed on it', async () => {
    const { journal, lost, watching, host } = stage(5);
    host.runAlone = async () => {
      journal.push('alone');
      lost.abort();
    };
    await jest.advanceTimersByTimeAsync(3_000);
    await watching;
    expect(journal).toEqual(['pause', 'alone']);
  });

  it('of a worker that leaves run no more, and its end leaves neither listener nor timer', async () => {
    const { journal, leaving, lost, watching } = stage(5);
    await jest.advanceTimersByTimeAsync(0);
    leaving.abort();
    await watching;
    expect(journal).toEqual([]);
    expect([leaving, lost].map(({ signal }) => getEventListeners(signal, 'abort').length)).toEqual([0, 0]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
