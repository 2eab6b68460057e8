import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LinkedSignal, anyAborted } from './signals';

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('a linked signal', () => {
  it('aborts with the first of its sources, for its reason, and leaves nothing on the others', () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const { signal } = new LinkedSignal([a.signal, b.signal], { timeoutMs: 60_000, reason: 'late' });
    expect(signal.aborted).toBe(false);
    b.abort('b');
    a.abort('a');
    expect(signal.reason).toBe('b');
    expect([listenersOf(a.signal), listenersOf(b.signal)]).toEqual([0, 0]);
  });

  it('is aborted from the beginning where a source is', () => {
    const open = new AbortController();
    expect(new LinkedSignal([open.signal, AbortSignal.abort('before')]).signal.reason).toBe('before');
    expect(listenersOf(open.signal)).toBe(0);
  });

  it('aborts when its time is over, also when garbage was collected meanwhile', async () => {
    const open = new AbortController();
    // Nothing but the listener knows of it.
    const ended = new Promise((resolve) => {
      const { signal } = new LinkedSignal([open.signal], { timeoutMs: 50, reason: 'late' });
      signal.addEventListener('abort', () => resolve(signal.reason));
    });
    for (let round = 0; round < 5; round++) {
      await new Promise(setImmediate);
      collectGarbage();
    }
    expect(await ended).toBe('late');
  });

  it('follows nothing once it is released, and leaves no timer', () => {
    jest.useFakeTimers();
    const source = new AbortController();
    const linked = new LinkedSignal([source.signal], { timeoutMs: 50, reason: 'late' });
    linked.release();
    linked.release();
    expect([listenersOf(source.signal), jest.getTimerCount()]).toEqual([0, 0]);
    source.abort();
    expect(linked.signal.aborted).toBe(false);
    jest.useRealTimers();
  });

  it('leaves no listener on a signal that outlives it, however often it is used', () => {
    const source = new AbortController();
    for (let round = 0; round < 1_000; round++) new LinkedSignal([source.signal]).release();
    expect(listenersOf(source.signal)).toBe(0);
  });
});

describe('anyAborted', () => {
  it('resolves with the first one, and listens to none of them any more', async () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const ended = anyAborted(a.signal, b.signal);
    expect(listenersOf(a.signal)).toBe(1);
    b.abort();
    await ended;
    expect([listenersOf(a.signal), listenersOf(b.signal)]).toEqual([0, 0]);
  });

  it('resolves at once where one is aborted', async () => {
    const open = new AbortController();
    await anyAborted(open.signal, AbortSignal.abort());
    expect(listenersOf(open.signal)).toBe(0);
  });
});
