import { Waiting, type Entry, type Outgoing } from './outgoing';

const entryOf = (bytes = 1): Entry => ({
  messageId: undefined,
  bytes,
  patient: false,
  startedAtMs: 0,
  returned: undefined,
  settled: false,
  resolve: () => undefined,
  reject: () => undefined,
});
const message = {} as Outgoing;

describe('what waits to be sent', () => {
  it('is kept in order, with its message, until it is taken', () => {
    const waiting = new Waiting();
    const [first, second] = [entryOf(), entryOf()];
    waiting.add(first, message);
    waiting.add(second, {} as Outgoing);
    expect([...waiting.entries()]).toEqual([first, second]);
    expect(waiting.has(first)).toBe(true);
    expect(waiting.delete(first)).toBe(message);
    expect(waiting.delete(first)).toBeUndefined();
    expect([waiting.size, waiting.has(first)]).toEqual([1, false]);
  });

  it('is at most 20,000 messages', () => {
    const waiting = new Waiting();
    for (let count = 0; count < 20_000; count++) {
      expect(waiting.isFull(entryOf())).toBe(false);
      waiting.add(entryOf(), message);
    }
    expect(waiting.isFull(entryOf())).toBe(true);
  });

  it('is at most 64 MiB, or one message that is larger', () => {
    const waiting = new Waiting();
    const mib = 1_048_576;
    expect(waiting.isFull(entryOf(100 * mib))).toBe(false);
    const entries = Array.from({ length: 64 }, () => entryOf(mib));
    for (const entry of entries) waiting.add(entry, message);
    expect(waiting.isFull(entryOf(1))).toBe(true);
  });

  it('gives its bytes back once each, whatever is asked of it', () => {
    const waiting = new Waiting();
    const mib = 1_048_576;
    for (let round = 0; round < 1_000; round++) {
      const entry = entryOf(mib);
      waiting.add(entry, message);
      waiting.delete(entry);
      waiting.delete(entry);
    }
    for (let count = 0; count < 63; count++) waiting.add(entryOf(mib), message);
    expect([waiting.isFull(entryOf(mib)), waiting.isFull(entryOf(mib + 1))]).toEqual([false, true]);
  });
});
