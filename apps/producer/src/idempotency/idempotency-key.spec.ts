import { ProblemException } from '../problems/problem';
import { fingerprintOf, hashOfScope, readIdempotencyKey, taskIdOf } from './idempotency-key';

describe('an Idempotency-Key header', () => {
  it.each<[string, string, string]>([
    ['in quotes', '"order-4711"', 'order-4711'],
    ['bare', 'order-4711', 'order-4711'],
    ['with spaces, in quotes', '"a b"', 'a b'],
    ['with escapes', '"a\\"b\\\\c"', 'a"b\\c'],
    ['with a comma, in quotes', '"a,b;c"', 'a,b;c'],
    ['with parameters, which mean nothing', '"a"; v=1', 'a'],
    ['of 255 characters', `"${'x'.repeat(255)}"`, 'x'.repeat(255)],
  ])('%s is a key', (_what, header, key) => {
    expect(readIdempotencyKey(header)).toBe(key);
  });

  it.each<[string, string]>([
    ['that is empty', ''],
    ['with nothing in quotes', '""'],
    ['of 256 characters', 'x'.repeat(256)],
    ['with spaces', 'a b'],
    ['that does not end', '"a'],
    ['that does not begin', 'a"'],
    ['with a wrong escape', '"a\\b"'],
    ['that is a list', '"a", "b"'],
    ['that is a bare list', 'a,b'],
    ['that is not ASCII', '"ä"'],
    ['with a tab', '"a\tb"'],
  ])('%s is refused', (_what, header) => {
    expect(() => readIdempotencyKey(header)).toThrow(ProblemException);
  });
});

const scope = { key: 'k', client: undefined, queueName: 'tasks' };

describe('the scope of a key', () => {
  it('is one client, one queue, and one place of a batch', () => {
    const others = [
      { ...scope, key: 'other' },
      { ...scope, client: 'shop' },
      { ...scope, client: 'anonymous' },
      { ...scope, queueName: 'letters' },
      { ...scope, index: 0 },
      { ...scope, index: 1 },
    ];
    expect(new Set([scope, ...others].map(hashOfScope)).size).toBe(7);
    expect(hashOfScope({ ...scope })).toBe(hashOfScope(scope));
  });
});

const task = { type: 'sleep', payload: { a: 1, b: { c: [1, 2], d: null } } } as const;

describe('the fingerprint of a task', () => {
  it('does not depend on the order of fields', async () => {
    const other = { payload: { b: { d: null, c: [1, 2] }, a: 1 }, type: 'sleep' } as const;
    expect(await fingerprintOf(other)).toBe(await fingerprintOf(task));
  });

  it.each([
    ['a value', { ...task, payload: { ...task.payload, a: '1' } }],
    ['the order of a list', { ...task, payload: { a: 1, b: { c: [2, 1], d: null } } }],
    ['a field more', { ...task, payload: { ...task.payload, e: null } }],
    ['the type', { ...task, type: 'webhook.deliver' as const }],
    ['the id', { ...task, id: 'mine' }],
    ['the delay', { ...task, delayMs: 1_000 }],
    ['the time', { ...task, runAt: '2026-12-01T08:00:00Z' }],
  ])('depends on %s', async (_what, other) => {
    expect(await fingerprintOf(other)).not.toBe(await fingerprintOf(task));
  });

  it('is not made of a payload that is too large to be put', async () => {
    const payload = (bytes: number) => ({ fill: 'x'.repeat(bytes - '{"fill":""}'.length) });
    await expect(fingerprintOf({ ...task, payload: payload(1_048_576) })).resolves.toHaveLength(43);
    const tooLarge = fingerprintOf({ ...task, payload: payload(1_048_577) });
    await expect(tooLarge).rejects.toMatchObject({ code: 'TASK_TOO_LARGE' });
  });
});

describe('the id that follows from a key', () => {
  // Never to change: whoever posts a task again after an update must put the same task.
  it('is this UUID of version 8', async () => {
    const id = taskIdOf(hashOfScope(scope), await fingerprintOf(task));
    expect(id).toBe('4e1cc1ee-f762-8371-8ecf-15accb60a406');
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });
});
