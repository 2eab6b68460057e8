import { Logger } from '@nestjs/common';
import { MemoryKeyStore } from '@mercury/messaging';
import type { TaskRequest } from '../tasks/task.request';
import { Idempotency } from './idempotency';

const TTL_MS = 86_400_000;
const scope = { key: 'k', client: 'shop', queueName: 'tasks' };
const task: TaskRequest = { type: 'sleep', payload: { ms: 1 } };
const inFlight = { problem: { status: 409, code: 'IDEMPOTENCY_IN_FLIGHT' } };

class MoodyStore extends MemoryKeyStore {
  isAway = false;

  override async setIfAbsent(key: string, value: string, ttlMs: number): Promise<string | undefined> {
    if (this.isAway) throw new Error('away');
    return super.setIfAbsent(key, value, ttlMs);
  }

  override async replace(key: string, expected: string, value: string, ttlMs: number): Promise<boolean> {
    if (this.isAway) throw new Error('away');
    return super.replace(key, expected, value, ttlMs);
  }
}

describe('Idempotency', () => {
  let store: MoodyStore;
  let idempotency: Idempotency;
  let stored: string[];
  const put = async (id: string) => void stored.push(id);

  beforeAll(() => {
    Logger.overrideLogger(false);
  });
  afterAll(() => {
    Logger.overrideLogger(true);
  });

  beforeEach(() => {
    jest.useFakeTimers();
    store = new MoodyStore();
    idempotency = new Idempotency(store, TTL_MS);
    stored = [];
  });

  afterEach(() => jest.useRealTimers());

  it('puts a task once, and has the same answer again', async () => {
    const id = await idempotency.once(scope, task, put);
    expect(await idempotency.once(scope, { ...task }, put)).toBe(id);
    expect(stored).toEqual([id]);
  });

  it('lets the caller’s id win', async () => {
    expect(await idempotency.once(scope, { ...task, id: 'mine' }, put)).toBe('mine');
    expect(stored).toEqual(['mine']);
  });

  it('refuses the key for another task, also while the first is in flight', async () => {
    const other: TaskRequest = { type: 'sleep', payload: { ms: 2 } };
    const reused = { problem: { status: 422, code: 'IDEMPOTENCY_KEY_REUSED' } };
    let finish: () => void = () => undefined;
    const first = idempotency.once(scope, task, () => new Promise((resolve) => (finish = resolve)));
    await expect(idempotency.once(scope, other, put)).rejects.toMatchObject(reused);
    finish();
    await first;
    await expect(idempotency.once(scope, other, put)).rejects.toMatchObject(reused);
    expect(stored).toEqual([]);
  });

  it('refuses the same request while the first is in flight', async () => {
    let finish: () => void = () => undefined;
    const first = idempotency.once(scope, task, () => new Promise((resolve) => (finish = resolve)));
    await expect(idempotency.once(scope, task, put)).rejects.toMatchObject(inFlight);
    finish();
    const id = await first;
    expect(await idempotency.once(scope, task, put)).toBe(id);
  });

  it('frees the key when the task was not stored, or perhaps not: the next request puts the same task', async () => {
    const failing = async (id: string) => {
      stored.push(id);
      throw new Error('no confirm');
    };
    await expect(idempotency.once(scope, task, failing)).rejects.toThrow('no confirm');
    const id = await idempotency.once(scope, task, put);
    expect(stored).toEqual([id, id]);
  });

  it('frees the key of a producer that was lost in the middle, for the same task', async () => {
    void idempotency.once(scope, task, (id) => {
      stored.push(id);
      return new Promise(() => undefined);
    });
    await jest.advanceTimersByTimeAsync(9_999);
    await expect(idempotency.once(scope, task, put)).rejects.toMatchObject(inFlight);
    await jest.advanceTimersByTimeAsync(1);
    const id = await idempotency.once(scope, task, put);
    expect(stored).toEqual([id, id]);
  });

  it('leaves the key to whoever has it when a request that was given up ends late', async () => {
    let finish: () => void = () => undefined;
    const late = idempotency.once(scope, task, () => new Promise((resolve) => (finish = resolve)));
    await jest.advanceTimersByTimeAsync(10_000);
    const next = idempotency.once(scope, task, () => new Promise(() => undefined));
    finish();
    await late;
    await expect(idempotency.once(scope, task, put)).rejects.toMatchObject(inFlight);
    void next;
  });

  it('forgets a key when its time is over; the task keeps its id', async () => {
    const id = await idempotency.once(scope, task, put);
    await jest.advanceTimersByTimeAsync(TTL_MS);
    expect(await idempotency.once(scope, task, put)).toBe(id);
    expect(stored).toEqual([id, id]);
  });

  it('puts nothing while it cannot know, so that nothing is put twice', async () => {
    store.isAway = true;
    const problem = { status: 503, code: 'KEY_STORE_UNAVAILABLE' };
    await expect(idempotency.once(scope, task, put)).rejects.toMatchObject({ problem });
    expect(stored).toEqual([]);
  });

  it('answers with a task that is stored although its key cannot be', async () => {
    const id = await idempotency.once(scope, task, async (taskId) => {
      stored.push(taskId);
      store.isAway = true;
    });
    expect(stored).toEqual([id]);
  });
});
