import type { Message } from 'amqplib';
import { systemClock } from '../clock';
import { execute, noteHeld, type Execution, type ExecutionContext, type TaskRunner } from './execution';
import { LoopWatch } from './loop-watch';
import { Slot } from './slots';
import type { Task } from './task';

const HEARTBEAT_S = 10;
const policy = { maxAttempts: 2, delaysMs: [1_000], postpone: { maxCount: 0, maxTotalMs: 0 } };

let problems: string[];
let watch: LoopWatch;
let heartbeatS: number | undefined;

beforeEach(() => {
  jest.useFakeTimers();
  problems = [];
  heartbeatS = HEARTBEAT_S;
  watch = new LoopWatch(
    () => heartbeatS,
    ({ code, message }) => problems.push(`${code} ${message}`),
  );
  watch.start();
  jest.advanceTimersByTime(1_000);
});
afterEach(() => {
  watch.stop();
  jest.useRealTimers();
});

function arrived(id: string, attempt = 1, redelivered = true): Message {
  const properties = { messageId: id, type: 'report', headers: { 'x-attempt': attempt } };
  return { content: Buffer.from('{}'), fields: { redelivered }, properties } as unknown as Message;
}

const context = (run: TaskRunner['run']): ExecutionContext => ({
  queueName: 'reports',
  policy,
  handlerTimeoutMs: 600_000,
  longestTimeoutMs: () => 60_000,
  clock: systemClock,
  runnerOf: () => ({ run }),
  onStart: (task) => watch.began(task),
  onHeld: (task, heldMs) => watch.held(task, heldMs),
});

const executing = (id: string, run: TaskRunner['run']): Promise<Execution> =>
  execute(arrived(id), context(run), new Slot());

function holding(ms: number): () => void {
  return () => {
    const now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now + ms);
  };
}

afterEach(() => jest.restoreAllMocks());

it('tells whose handler held the loop for half a heartbeat, and for how long', async () => {
  const execution = await executing('task-1', holding(5_000));
  expect(execution).toMatchObject({ outcome: { kind: 'success' }, heldMs: 5_000 });
  expect(problems).toEqual([
    expect.stringMatching(
      /^LOOP_HELD A handler of "report" held the event loop for 5\.0 s \(task task-1, attempt 1\)\./,
    ),
  ]);
});

it('says nothing of less', async () => {
  expect(await executing('task-1', holding(4_900))).toMatchObject({ heldMs: 4_900 });
  expect(await executing('task-2', () => undefined)).toMatchObject({ heldMs: 0 });
  expect(problems).toEqual([]);
});

it('counts a handler that does not begin at once, as in Nest, once', async () => {
  await executing('task-1', (task: Task) => noteHeld(task, 6_000));
  expect(problems).toEqual([expect.stringContaining('for 6.0 s')]);
});

it('goes by the last heartbeat while there is no connection, and by the usual one where there is none', async () => {
  heartbeatS = undefined;
  jest.advanceTimersByTime(1_000);
  await executing('task-1', holding(5_000));
  expect(problems).toHaveLength(1);
  jest.restoreAllMocks();
  heartbeatS = 0;
  await executing('task-2', holding(7_000));
  expect(problems).toHaveLength(1);
});

describe('a task that comes again', () => {
  const lostOf = (message: Message) =>
    watch.lostAttemptOf(
      message,
      context(() => undefined),
    );

  it('has used the attempt in which its handler held the loop for a heartbeat, once', async () => {
    await executing('task-1', holding(12_000));
    expect(lostOf(arrived('task-1'))).toMatchObject({
      task: { id: 'task-1', attempt: 1 },
      outcome: { kind: 'retry', levelMs: 1_000, failure: { code: 'LOOP_HELD' } },
      durationMs: 12_000,
    });
    expect(lostOf(arrived('task-1'))).toBeUndefined();
  });

  it('is dead when that was its last attempt', async () => {
    await execute(arrived('task-1', 2), context(holding(12_000)), new Slot());
    expect(lostOf(arrived('task-1', 2))?.outcome).toMatchObject({ kind: 'dead', failure: { code: 'LOOP_HELD' } });
  });

  it.each<[string, () => Message]>([
    ['ran beside it', () => arrived('task-2')],
    ['is another attempt', () => arrived('task-1', 2)],
    ['is delivered for the first time', () => arrived('task-1', 1, false)],
  ])('has used none if it %s', async (_what, message) => {
    await executing('task-1', holding(12_000));
    expect(lostOf(message())).toBeUndefined();
  });

  it('has used none if its handler held the loop for less than a heartbeat', async () => {
    await executing('task-1', holding(9_900));
    expect(lostOf(arrived('task-1'))).toBeUndefined();
  });

  it('has used none if it has succeeded, and that is remembered', async () => {
    void watch.ended(await executing('task-1', holding(12_000)), true);
    expect(lostOf(arrived('task-1'))).toBeUndefined();
  });

  it('is not remembered for ever', async () => {
    for (let number = 0; number <= 1_000; number++) {
      await executing(`task-${number}`, holding(12_000));
      jest.restoreAllMocks();
    }
    expect(lostOf(arrived('task-0'))).toBeUndefined();
    expect(lostOf(arrived('task-1'))).toBeDefined();
  });
});

describe('its end', () => {
  it('waits until what came in meanwhile was heard, if it held the loop for long', async () => {
    const heard = watch.ended(await executing('task-1', holding(5_000)), false);
    expect(heard).toBeInstanceOf(Promise);
    let isHeard = false;
    void heard?.then(() => (isHeard = true));
    await Promise.resolve();
    expect(isHeard).toBe(false);
    for (let turn = 0; turn < 5; turn++) await jest.advanceTimersByTimeAsync(1);
    expect(isHeard).toBe(true);
  });

  it('waits for nothing otherwise', async () => {
    expect(watch.ended(await executing('task-1', () => undefined), false)).toBeUndefined();
  });
});

describe('a gap that nobody measured', () => {
  const late = (ms: number) => {
    const now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now + ms);
    jest.advanceTimersByTime(1_000);
  };
  const never = () => new Promise(() => undefined);

  it('is told with the type of the only handler that ran', () => {
    void executing('task-1', never);
    late(8_000);
    expect(problems).toEqual([
      expect.stringContaining('stood still for 7.0 s while of all handlers only one of "report" ran (task task-1)'),
    ]);
  });

  it('accuses none of several', () => {
    for (const id of ['task-1', 'task-2']) void executing(id, never);
    late(8_000);
    expect(problems).toEqual([expect.stringContaining('2 handlers ran: one of "report", or something else')]);
  });

  it('is that of a handler, too, which has ended before anybody could look', async () => {
    const execution = await executing('task-1', () => undefined);
    const now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now + 8_000);
    void watch.ended(execution, false);
    jest.advanceTimersByTime(1_000);
    expect(problems).toEqual([expect.stringContaining('only one of "report" ran')]);
  });

  it.each<[string, () => void]>([
    ['nothing ran in it', () => late(8_000)],
    [
      'it is short',
      () => {
        void executing('task-1', never);
        late(5_900);
      },
    ],
  ])('is not told when %s', (_what, happen) => {
    happen();
    expect(problems).toEqual([]);
  });

  it('is not told again as far as it was measured', async () => {
    await executing('task-1', holding(8_000));
    jest.advanceTimersByTime(1_000);
    expect(problems).toHaveLength(1);
  });
});
