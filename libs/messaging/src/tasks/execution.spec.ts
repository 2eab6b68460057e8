import type { Message } from 'amqplib';
import { systemClock } from '../clock';
import { DiscardTask, MercuryError, RetryTask } from '../errors';
import { MemoryKeyStore } from '../key-stores/memory-key-store';
import { Completions } from './completions';
import { execute, type ExecutionContext, type TaskRunner } from './execution';
import { Slot } from './slots';
import type { Task } from './task';

function arrived(content: string, properties: Record<string, unknown> = {}): Message {
  return { content: Buffer.from(content), fields: {}, properties } as unknown as Message;
}

const message = arrived('{"type":"report","pages":2}', { messageId: 'order-1', headers: { 'x-attempt': 2 } });

/** Knows the type `report` only. */
function contextWith(runner: TaskRunner) {
  const started: Task[] = [];
  const context: ExecutionContext = {
    queueName: 'reports',
    policy: { maxAttempts: 3, delaysMs: [1_000, 10_000], postpone: { maxCount: 5, maxTotalMs: 60_000 } },
    handlerTimeoutMs: 500,
    longestTimeoutMs: () => 10_000,
    clock: systemClock,
    runnerOf: (type) => (type === 'report' ? runner : undefined),
    onStart: (task) => started.push(task),
  };
  return { context, started };
}

function executing(work: (task: Task) => unknown, what = message) {
  return execute(what, contextWith({ run: work }).context, new Slot());
}

describe('execute', () => {
  it('succeeds when the handler returns, and gives it the whole task', async () => {
    const seen: Task[] = [];
    const slot = new Slot();
    const { context, started } = contextWith({ run: (task) => seen.push(task) });
    const execution = await execute(message, context, slot);
    expect(execution).toMatchObject({ outcome: { kind: 'success' }, identity: { id: 'order-1', attempt: 2 } });
    expect(execution.durationMs).toBeGreaterThanOrEqual(0);
    expect(seen).toEqual([
      expect.objectContaining({
        id: 'order-1',
        type: 'report',
        body: { type: 'report', pages: 2 },
        attempt: 2,
        queue: 'reports',
        signal: slot.signal,
      }),
    ]);
    expect(started).toEqual(seen);
    expect(execution.task).toBe(seen[0]);
  });

  it.each([
    ['the worker has', undefined, 3],
    ['its type has', 2, 2],
  ])('tells the handler how many attempts there are, as %s, and whether this is the last', async (_what, own, most) => {
    const seen: unknown[] = [];
    const run = (task: Task) => seen.push([task.attempt, task.maxAttempts, task.isLastAttempt]);
    const { context } = contextWith(own === undefined ? { run } : { run, maxAttempts: own });
    for (const attempt of [1, 2, 3])
      await execute(arrived('{"type":"report"}', { headers: { 'x-attempt': attempt } }), context, new Slot());
    expect(seen).toEqual([1, 2, 3].map((attempt) => [attempt, most, attempt >= most]));
  });

  it('keeps to the attempts that its caller wants, before those of its type', async () => {
    const seen: unknown[] = [];
    const run = (task: Task) => {
      seen.push([task.maxAttempts, task.isLastAttempt]);
      throw new Error('no');
    };
    const { context } = contextWith({ run, maxAttempts: 9 });
    const outcomeOf = async (headers: Record<string, unknown>) =>
      (await execute(arrived('{"type":"report"}', { headers }), context, new Slot())).outcome.kind;
    expect(await outcomeOf({ 'x-attempt': 2, 'x-max-attempts': 2 })).toBe('dead');
    expect(await outcomeOf({ 'x-attempt': 2, 'x-max-attempts': 20 })).toBe('retry');
    for (const forged of [0, -1, 1.5, '2', 1_000_001, NaN])
      expect(await outcomeOf({ 'x-attempt': 2, 'x-max-attempts': forged })).toBe('retry');
    expect(seen.slice(0, 3)).toEqual([
      [2, true],
      [20, false],
      [9, false],
    ]);
  });

  it('gives the handler the tags that its caller gave it, and none that cannot be ones', async () => {
    const seen: unknown[] = [];
    const tagsFor = async (tags: unknown) => {
      await executing((task) => seen.push(task.tags), arrived('{"type":"report"}', { headers: { 'x-tags': tags } }));
      return seen.pop();
    };
    expect(await tagsFor(['order:4711', 'eilig ✓'])).toEqual(['order:4711', 'eilig ✓']);
    expect(await tagsFor(undefined)).toEqual([]);
    expect(await tagsFor('order:4711')).toEqual([]);
    expect(await tagsFor([7, null, '', 'a\nb', 'x'.repeat(65), 'fine'])).toEqual(['fine']);
    expect(await tagsFor(Array.from({ length: 99 }, (_, index) => `t${index}`))).toHaveLength(10);
  });

  it('gives out the last 50 lines that the handler has said, each cut, and nothing of one that says nothing', async () => {
    const { log } = await executing((task) => {
      for (let line = 1; line <= 60; line++) task.log('info', `line ${line}`);
      task.log('warn', 'x'.repeat(2_000));
      task.log('loud' as 'info', Object.create(null) as string);
    });
    expect(log).toHaveLength(50);
    expect(log?.[0]).toEqual({ level: 'info', message: 'line 13', atMs: expect.any(Number) as number });
    expect(log?.[48]).toMatchObject({ level: 'warn', message: 'x'.repeat(500) });
    expect(log?.[49]).toMatchObject({ level: 'info', message: 'A message that cannot be written.' });
    expect((await executing(() => undefined)).log).toBeUndefined();
  });

  it('keeps the lines of a handler that fails, and not those that come after its time', async () => {
    let late: Task | undefined;
    const { log, outcome } = await executing((task) => {
      late = task;
      task.log('error', 'no printer');
      throw new Error('no');
    });
    late?.log('info', 'still here');
    expect([outcome.kind, log?.map(({ message }) => message)]).toEqual(['retry', ['no printer']]);
  });

  it('tells where a failure was thrown', async () => {
    const { stack } = await executing(() => {
      throw new Error('no');
    });
    expect(stack[0]).toContain('execution.spec.ts');
  });

  it('waits for the end of a handler that is asynchronous', async () => {
    let finish: () => void = () => undefined;
    const ended = jest.fn();
    const execution = executing(() => new Promise<void>((resolve) => (finish = resolve))).then(ended);
    await new Promise(setImmediate);
    expect(ended).not.toHaveBeenCalled();
    finish();
    await execution;
    expect(ended).toHaveBeenCalledWith(expect.objectContaining({ outcome: { kind: 'success' } }));
  });

  it('gives a foreign task one id, for its handler and for what becomes of it', async () => {
    const { identity, task } = await executing(() => undefined, arrived('{"type":"report"}'));
    expect(task?.id).toBe(identity.id);
    expect(identity.type).toBe('report');
  });

  it.each<[string, unknown, object]>([
    ['an error', new Error('no'), { kind: 'retry', levelMs: 10_000 }],
    ['a RetryTask', new RetryTask('no', { delayMs: 1 }), { kind: 'retry', levelMs: 1_000 }],
    ['a DiscardTask', new DiscardTask('no', { code: 'GONE' }), { kind: 'dead', failure: { code: 'GONE' } }],
    ['a string', 'no', { kind: 'retry', failure: { code: 'HANDLER_FAILED', message: 'no' } }],
    ['nothing', undefined, { kind: 'retry', failure: { message: 'undefined' } }],
    ['null', null, { kind: 'retry', failure: { message: 'null' } }],
  ])('never throws: a handler that throws or rejects with %s has an outcome', async (_what, error, outcome) => {
    const thrown = await executing(() => {
      throw error;
    });
    const rejected = await executing(async () => {
      throw error;
    });
    expect(thrown.outcome).toMatchObject(outcome);
    expect(rejected.outcome).toEqual(thrown.outcome);
  });

  it('ends the last attempt as a dead letter', async () => {
    const last = arrived('{"type":"report"}', { headers: { 'x-attempt': 3 } });
    const { outcome } = await executing(() => Promise.reject(new Error('no')), last);
    expect(outcome).toEqual({ kind: 'dead', failure: { code: 'HANDLER_FAILED', message: 'Error: no' } });
  });

  it('never throws when the handler cannot even be looked up', async () => {
    const { context } = contextWith({ run: () => undefined });
    context.runnerOf = () => {
      throw new Error('registry');
    };
    const { outcome } = await execute(message, context, new Slot());
    expect(outcome).toMatchObject({ kind: 'retry', failure: { message: 'Error: registry' } });
  });

  it('tries a type without a handler again, without starting it: a newer worker may have one', async () => {
    const { context, started } = contextWith({ run: () => undefined });
    const { outcome, task } = await execute(arrived('{"type":"other"}'), context, new Slot());
    const failure = {
      code: 'UNKNOWN_TYPE',
      message: expect.stringContaining('No handler for task type "other"') as string,
    };
    expect(outcome).toEqual({ kind: 'retry', levelMs: 1_000, failure });
    const last = arrived('{"type":"other"}', { headers: { 'x-attempt': 3 } });
    expect((await execute(last, context, new Slot())).outcome).toEqual({ kind: 'dead', failure });
    expect(task?.type).toBe('other');
    expect(started).toEqual([]);
  });

  it.each([
    ['INVALID_JSON', '{"type":'],
    ['NOT_AN_OBJECT', '[]'],
  ])('ends a body that cannot be decoded as a dead letter that can be found: %s', async (code, content) => {
    const run = jest.fn();
    const { context, started } = contextWith({ run });
    const undecodable = arrived(content, { messageId: 'order-2', type: 'report' });
    const execution = await execute(undecodable, context, new Slot());
    expect(execution).toMatchObject({
      identity: { id: 'order-2', type: 'report' },
      task: undefined,
      outcome: { kind: 'dead', failure: { code } },
    });
    expect(started).toEqual([]);
    expect(run).not.toHaveBeenCalled();
  });
});

describe('with a memory of what has succeeded', () => {
  let leaving: AbortController;
  let completions: Completions;

  beforeEach(() => {
    leaving = new Slot();
    completions = new Completions(new MemoryKeyStore(), 60_000, leaving.signal, () => undefined);
  });

  const executingWith = (run: (task: Task) => unknown, what = message, abort = new Slot()) =>
    execute(what, { ...contextWith({ run }).context, completions }, abort);

  it('a task that has succeeded is a success again, without its handler', async () => {
    const run = jest.fn();
    expect(await executingWith(run)).toMatchObject({ outcome: { kind: 'success' }, isSkipped: false });
    expect(await executingWith(run)).toMatchObject({ outcome: { kind: 'success' }, isSkipped: true });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['failed', new Error('no'), 'retry'],
    ['was discarded', new DiscardTask('no'), 'dead'],
  ])('a task that %s is executed again', async (_what, error, kind) => {
    const { outcome } = await executingWith(() => Promise.reject(error));
    expect(outcome.kind).toBe(kind);
    const run = jest.fn();
    await executingWith(run);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('a handler that ends because its signal aborts has not succeeded', async () => {
    const slot = new Slot();
    await executingWith(() => slot.abort(new Error('The delivery was lost.')), message, slot);
    const run = jest.fn();
    await executingWith(run);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('a task is given back when nobody knows by the time that the worker stops', async () => {
    leaving.abort();
    const run = jest.fn();
    expect(await executingWith(run)).toMatchObject({ outcome: { kind: 'released' }, isSkipped: false });
    expect(run).not.toHaveBeenCalled();
  });

  it('two foreign tasks without ids are two', async () => {
    const run = jest.fn();
    for (let number = 0; number < 2; number++) await executingWith(run, arrived('{"type":"report"}'));
    expect(run).toHaveBeenCalledTimes(2);
  });
});

describe('the time of a handler', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it.each([
    ['the worker allows', undefined, 500],
    ['its own options allow', 50, 50],
    ['its own options allow, though the worker allows less', 5_000, 5_000],
  ])('is up after what %s: its signal aborts and the task is retried', async (_what, own, timeoutMs) => {
    const slot = new Slot();
    const run = () => new Promise(() => undefined);
    const { context } = contextWith(own === undefined ? { run } : { run, timeoutMs: own });
    const execution = execute(message, context, slot);
    await jest.advanceTimersByTimeAsync(timeoutMs - 1);
    expect(slot.signal.aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(slot.signal.reason).toBeInstanceOf(MercuryError);
    expect((await execution).outcome).toEqual({
      kind: 'retry',
      levelMs: 10_000,
      failure: { code: 'HANDLER_TIMEOUT', message: `The handler did not end within ${timeoutMs} ms.` },
    });
  });

  it.each([
    ['what its caller wants', 200, 200],
    ['what its caller wants, though its type wants less', 5_000, 5_000],
    ['the longest that the broker was told, though its caller wants more', 60_000, 10_000],
    ['what its type wants, when its caller wants nothing that can be', 0, 300],
    ['what its type wants, when its caller wants a text', '5', 300],
  ])('is up after %s', async (_what, wanted, timeoutMs) => {
    const slot = new Slot();
    const { context } = contextWith({ run: () => new Promise(() => undefined), timeoutMs: 300 });
    const execution = execute(arrived('{"type":"report"}', { headers: { 'x-timeout-ms': wanted } }), context, slot);
    await jest.advanceTimersByTimeAsync(timeoutMs - 1);
    expect(slot.isAborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect((await execution).outcome).toMatchObject({ failure: { code: 'HANDLER_TIMEOUT' } });
  });

  it('does not change once it is up, whatever the handler still does', async () => {
    const late = () =>
      new Promise((_resolve, reject) => {
        setTimeout(() => reject(new DiscardTask('too late')), 1_000);
      });
    const execution = executing(late);
    await jest.advanceTimersByTimeAsync(2_000);
    expect((await execution).outcome).toMatchObject({ kind: 'retry', failure: { code: 'HANDLER_TIMEOUT' } });
  });

  it.each([
    ['succeeded', () => undefined],
    ['failed', () => Promise.reject(new Error('no'))],
  ])('is not counted any more after it %s: no timer is left, no signal aborts', async (_what, work) => {
    const slot = new Slot();
    await execute(message, contextWith({ run: work }).context, slot);
    expect(jest.getTimerCount()).toBe(0);
    expect(slot.signal.aborted).toBe(false);
  });
});
