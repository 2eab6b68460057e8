import type { MercuryError } from '../errors';
import { MemoryKeyStore } from '../key-stores/memory-key-store';
import { Completions } from './completions';
import type { Task } from './task';

/** Answers when the test says so. */
class MoodyStore extends MemoryKeyStore {
  isAway = false;
  asked = 0;

  override async get(key: string): Promise<string | undefined> {
    this.asked += 1;
    if (this.isAway) throw new Error('away');
    return super.get(key);
  }

  override async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
    if (this.isAway) throw new Error('away');
    return super.setIfAbsent(key, value, ttlMs);
  }
}

const TTL_MS = 60_000;

function taskWith(fields: Partial<Task> = {}): Task {
  const { signal } = new AbortController();
  const headers = {};
  return {
    id: 'a',
    type: 'report',
    body: {},
    attempt: 1,
    maxAttempts: 6,
    isLastAttempt: false,
    tags: [],
    queue: 'reports',
    enqueuedAtMs: 1,
    headers,
    signal,
    log: () => undefined,
    ...fields,
  };
}

describe('Completions', () => {
  let store: MoodyStore;
  let leaving: AbortController;
  let problems: MercuryError[];
  let completions: Completions;

  beforeEach(() => {
    jest.useFakeTimers();
    store = new MoodyStore();
    leaving = new AbortController();
    problems = [];
    completions = new Completions(store, TTL_MS, leaving.signal, (problem) => problems.push(problem));
  });

  afterEach(() => jest.useRealTimers());

  it('know what was added, by id and queue, whatever the type and the attempt', async () => {
    expect(await completions.has(taskWith())).toBe('no');
    await completions.add(taskWith());
    expect(await completions.has(taskWith({ type: 'other', attempt: 4 }))).toBe('yes');
    expect(await completions.has(taskWith({ queue: 'letters' }))).toBe('no');
    expect(await completions.has(taskWith({ id: 'b' }))).toBe('no');
  });

  it('forget it when its time is over', async () => {
    await completions.add(taskWith());
    jest.advanceTimersByTime(TTL_MS - 1);
    expect(await completions.has(taskWith())).toBe('yes');
    jest.advanceTimersByTime(1);
    expect(await completions.has(taskWith())).toBe('no');
  });

  it('wait for a store that is away, say so once, and answer when it is back', async () => {
    store.isAway = true;
    const answers = [completions.has(taskWith()), completions.has(taskWith({ id: 'b' }))];
    await jest.advanceTimersByTimeAsync(30_000);
    expect(store.asked).toBeGreaterThan(10);
    expect(completions.problem).toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    expect(problems).toHaveLength(1);
    store.isAway = false;
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await Promise.all(answers)).toEqual(['no', 'no']);
    expect(completions.problem).toBeUndefined();
  });

  it('do not hold up a worker that stops', async () => {
    store.isAway = true;
    const answer = completions.has(taskWith());
    await jest.advanceTimersByTimeAsync(5_000);
    leaving.abort();
    expect(await answer).toBe('unknown');
    expect(completions.problem).toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('let nothing begin whose delivery was lost meanwhile', async () => {
    const lost = new AbortController();
    store.get = async () => {
      lost.abort();
      return undefined;
    };
    expect(await completions.has(taskWith({ signal: lost.signal }))).toBe('unknown');
  });

  it('remember here what the store did not take, say so, and give it to the store when that takes it again', async () => {
    store.isAway = true;
    await completions.add(taskWith());
    expect(completions.problem).toMatchObject({ code: 'COMPLETION_NOT_STORED' });
    expect(await completions.has(taskWith())).toBe('yes');
    store.isAway = false;
    await jest.advanceTimersByTimeAsync(5_000);
    expect(completions.problem).toBeUndefined();
    const another = new Completions(store, TTL_MS, leaving.signal, (problem) => problems.push(problem));
    expect(await another.has(taskWith())).toBe('yes');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('remember no more of it than some thousands', async () => {
    store.isAway = true;
    for (let id = 0; id < 10_001; id++) await completions.add(taskWith({ id: String(id) }));
    store.isAway = false;
    expect(await completions.has(taskWith({ id: '0' }))).toBe('no');
    expect(await completions.has(taskWith({ id: '1' }))).toBe('yes');
    leaving.abort();
  });

  it('do not hold up a task that has succeeded when that cannot be stored', async () => {
    store.isAway = true;
    await completions.add(taskWith());
    expect(problems).toMatchObject([{ code: 'COMPLETION_NOT_STORED' }]);
  });
});
