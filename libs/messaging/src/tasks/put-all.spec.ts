import { gate, until } from '../../../../test/support/until';
import { InvalidMessageError, PublishError } from '../errors';
import { PutAll, type PutItem, type PutOutcome, type Submit } from './put-all';

/** A broker of so much room, which confirms when it is told to. */
class FakeBroker {
  readonly submitted: string[] = [];
  private readonly open: { id: string; resolve: () => void; reject: (error: Error) => void }[] = [];
  away: PublishError | undefined;

  constructor(readonly room = 3) {}

  readonly host = {
    submit: ((body, { id = `made-${this.submitted.length}` }) => {
      if ('bad' in body) throw new InvalidMessageError('TASK_INVALID', 'Bad.');
      this.submitted.push(id);
      if (this.away) return { id, stored: Promise.reject(this.away) };
      return { id, stored: new Promise<void>((resolve, reject) => this.open.push({ id, resolve, reject })) };
    }) satisfies Submit,
    hasRoom: () => !this.away && this.open.length < this.room,
    onFailed: () => undefined,
    problem: () => this.away,
    timeoutMs: 50,
  };

  get openCount(): number {
    return this.open.length;
  }

  async confirm(count: number): Promise<void> {
    for (const { resolve } of this.open.splice(0, count)) resolve();
    await turns();
  }

  async fail(error: Error): Promise<void> {
    this.open.shift()?.reject(error);
    await turns();
  }
}

const turns = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
};
const items = (count: number): PutItem[] =>
  Array.from({ length: count }, (_, index) => ({ body: { index }, type: 'report', id: `t${index}` }));

let broker: FakeBroker;
let over: AbortController;
let outcomes: [PutOutcome, PutItem, number][];
let pulled: number;

beforeEach(() => {
  broker = new FakeBroker();
  over = new AbortController();
  outcomes = [];
  pulled = 0;
});

const putting = (tasks: Iterable<PutItem> | AsyncIterable<PutItem>) =>
  new PutAll(broker.host, (...told) => outcomes.push(told), over.signal).run(tasks);

async function* pulling(count: number): AsyncGenerator<PutItem> {
  for (const item of items(count)) {
    pulled += 1;
    yield item;
  }
}

it('takes from the source only as fast as there is room, and tells each outcome as it comes', async () => {
  const put = putting(pulling(10));
  await turns();
  expect([pulled, outcomes.length]).toEqual([3, 0]);
  await broker.confirm(2);
  expect([pulled, outcomes.length]).toEqual([5, 2]);
  expect(outcomes[1]).toEqual([{ id: 't1', stored: true }, items(2)[1], 1]);
  await broker.confirm(3);
  await broker.confirm(3);
  await broker.confirm(3);
  expect(await put).toEqual({ storedCount: 10, failedCount: 0 });
  expect(outcomes.map(([, , index]) => index)).toEqual([...Array(10).keys()]);
});

it('one that is refused, returned or unknown does not stop the others', async () => {
  broker = new FakeBroker(10);
  const tasks: PutItem[] = items(5);
  tasks[1] = { body: { bad: true }, type: 'report' };
  tasks[3] = null as unknown as PutItem;
  const put = putting(tasks);
  await turns();
  await broker.fail(new PublishError('nacked', 'Full.'));
  await broker.fail(new PublishError('unknown', 'No confirm.'));
  await broker.confirm(1);
  expect(await put).toEqual({ storedCount: 1, failedCount: 4 });
  const byIndex = [...outcomes].sort(([, , one], [, , other]) => one - other).map(([outcome]) => outcome);
  expect(byIndex).toMatchObject([
    { id: 't0', stored: false, error: { code: 'PUBLISH_NACKED' } },
    { stored: false, error: { code: 'TASK_INVALID' } },
    { id: 't2', stored: false, error: { code: 'PUBLISH_UNKNOWN' } },
    { stored: false, error: { code: 'TASK_INVALID' } },
    { id: 't4', stored: true },
  ]);
  expect(byIndex[1]).not.toHaveProperty('id');
});

it('goes on one by one where others take all the room', async () => {
  broker = new FakeBroker(0);
  const put = putting(pulling(3));
  for (let number = 1; number <= 3; number++) {
    await turns();
    expect(broker.submitted).toHaveLength(number);
    await broker.confirm(1);
  }
  expect(await put).toEqual({ storedCount: 3, failedCount: 0 });
});

it('waits for a broker that is away, and goes on when it is there again', async () => {
  const put = putting(pulling(10));
  await turns();
  broker.away = new PublishError('not-sent', 'The broker takes no messages now.');
  await broker.fail(broker.away);
  await broker.confirm(2);
  expect([pulled, outcomes.length]).toEqual([3, 3]);
  broker.away = undefined;
  for (let number = 0; number < 3; number++) {
    await until('it goes on', () => broker.openCount > 0);
    await broker.confirm(3);
  }
  expect(await put).toEqual({ storedCount: 9, failedCount: 1 });
});

it('stops when the broker is away for too long: nothing more is taken, and it rejects with why', async () => {
  const put = putting(pulling(10));
  const stopped = expect(put).rejects.toMatchObject({
    code: 'PUBLISH_NOT_SENT',
    message: expect.stringContaining('Not sent within 50 ms: The broker takes no messages now.') as string,
  });
  await turns();
  broker.away = new PublishError('not-sent', 'The broker takes no messages now.');
  await broker.fail(broker.away);
  await broker.confirm(2);
  await stopped;
  expect(pulled).toBe(3);
  expect(outcomes.filter(([{ stored }]) => stored)).toHaveLength(2);
});

it('stops when one had no turn within its deadline, although nothing is wrong', async () => {
  const put = putting(pulling(10));
  const error = new PublishError('not-sent', 'Not sent within 50 ms: too many messages wait for their confirm.');
  const stopped = expect(put).rejects.toBe(error);
  await turns();
  await broker.fail(error);
  await broker.confirm(3);
  await stopped;
  expect(pulled).toBeLessThanOrEqual(4);
});

it('does not stop over one that alone could not be sent', async () => {
  const put = putting(items(2));
  await turns();
  await broker.fail(new PublishError('not-sent', 'Too large.', { cause: new RangeError() }));
  await broker.confirm(1);
  expect(await put).toEqual({ storedCount: 1, failedCount: 1 });
});

it('rejects as the source does, once everything that was taken has its outcome', async () => {
  const broken = async function* () {
    yield* pulling(2);
    throw new RangeError('cursor closed');
  };
  const put = putting(broken());
  const rejected = expect(put).rejects.toThrow('cursor closed');
  await turns();
  let isOver = false;
  put.catch(() => (isOver = true));
  await broker.confirm(1);
  expect([isOver, outcomes.length]).toEqual([false, 1]);
  await broker.confirm(1);
  await rejected;
  expect(outcomes).toHaveLength(2);
});

it('ends when it is told to: the source is closed, also while it is waited for, and what was taken has its outcome', async () => {
  const closed = gate();
  const hangs: AsyncIterable<PutItem> = {
    [Symbol.asyncIterator]: () => {
      const given = items(2);
      return {
        next: () => {
          const value = given.shift();
          return value ? Promise.resolve({ value, done: false }) : new Promise(() => undefined);
        },
        return: async () => {
          closed.open();
          return { value: undefined, done: true };
        },
      };
    },
  };
  const put = putting(hangs);
  await turns();
  over.abort(new Error('enough'));
  const ended = expect(put).rejects.toThrow('enough');
  await closed.opened;
  await broker.confirm(2);
  await ended;
  expect(outcomes.map(([outcome]) => outcome)).toEqual([
    { id: 't0', stored: true },
    { id: 't1', stored: true },
  ]);
});

it('takes nothing when it was told to end before', async () => {
  over.abort(new Error('enough'));
  await expect(putting(pulling(2))).rejects.toThrow('enough');
  expect([pulled, broker.submitted]).toEqual([0, []]);
});

it('closes a source that it does not take to its end, and not one that has ended', async () => {
  let closes = 0;
  const closing = function* (count: number) {
    try {
      yield* items(count);
    } finally {
      closes += 1;
    }
  };
  broker = new FakeBroker(1);
  const put = putting(closing(5));
  over.abort(new Error('enough'));
  const ended = expect(put).rejects.toThrow('enough');
  await broker.confirm(1);
  await ended;
  expect(closes).toBe(1);
});

it('rejects with what the callback throws, and takes nothing more', async () => {
  const put = new PutAll(
    broker.host,
    () => {
      throw new Error('my own mistake');
    },
    over.signal,
  ).run(pulling(10));
  const rejected = expect(put).rejects.toThrow('my own mistake');
  await turns();
  await broker.confirm(3);
  await rejected;
  expect(pulled).toBeLessThanOrEqual(4);
});

it('lets others have their turn while it refuses one task after the other', async () => {
  let turnsOfOthers = 0;
  const count = () => {
    turnsOfOthers += 1;
    if (!isOver) setImmediate(count);
  };
  let isOver = false;
  setImmediate(count);
  const bad = Array.from({ length: 20_000 }, () => ({ body: { bad: true } }));
  const result = await putting(bad);
  isOver = true;
  expect(result).toEqual({ storedCount: 0, failedCount: 20_000 });
  expect(turnsOfOthers).toBeGreaterThan(10);
});

it('waits for what the callback promises, and ends with why it could not', async () => {
  const written = gate();
  let isOver = false;
  const tell = ({ stored }: PutOutcome, { id }: PutItem) =>
    written.opened.then(() => {
      if (stored && id === 't1') throw new Error('the file is full');
    });
  const done = new PutAll(broker.host, tell, over.signal).run(items(2)).finally(() => (isOver = true));
  await turns();
  await broker.confirm(2);
  expect(isOver).toBe(false);
  written.open();
  await expect(done).rejects.toThrow('the file is full');
});
