import {
  Scheduler,
  scheduleQueueOf,
  type EnqueuedTick,
  type MissedTicks,
  type ScheduleOptions,
  type Task,
} from '@mercury/messaging';
import { Proxy } from '../faults/proxy';
import { rabbitUrl } from '../support/rabbit';
import { Collector, until } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [100];
const EVERY_SECOND: ScheduleOptions = { name: 'pulse', cron: '* * * * * *', type: 'beat', body: { n: 1 } };

const bench = new Workbench(LEVELS_MS);
const started: Scheduler[] = [];

/** A replica that remembers what it tells. */
class Replica extends Scheduler {
  readonly enqueued = new Collector<EnqueuedTick>();
  readonly missed = new Collector<MissedTicks>();
  readonly told = new Collector<string>();

  constructor(schedules: readonly ScheduleOptions[], url = rabbitUrl()) {
    super({ rabbitUrl: url, queueName: bench.queueName, retryDelaysMs: LEVELS_MS, schedules });
    started.push(this);
    this.events.on('enqueued', (tick) => this.enqueued.push(tick));
    this.events.on('missed', (ticks) => this.missed.push(ticks));
    this.events.on('problem', (problem) => this.told.push(`${problem.code} ${problem.message}`));
    this.events.on('leading', () => this.told.push('leading'));
    this.events.on('standby', () => this.told.push('standby'));
  }
}

async function replicas(count: number, schedules: readonly ScheduleOptions[] = [EVERY_SECOND]): Promise<Replica[]> {
  const all = Array.from({ length: count }, () => new Replica(schedules));
  await Promise.all(all.map((each) => each.start()));
  return all;
}

async function leaderOf(all: readonly Replica[]): Promise<Replica> {
  await until('one leads', () => all.some((each) => each.isLeading));
  return all.find((each) => each.isLeading)!;
}

/** Every task of the queue, as it is put. */
async function consumed(): Promise<Collector<Task>> {
  const worker = bench.worker(() => undefined);
  worker.events.on('problem', () => undefined);
  await worker.start();
  return worker.seen;
}

/** Every second from the first task to the last, each once, in whatever order they came. */
function expectEverySecondOnce(tasks: readonly Task[]): void {
  const ids = tasks.map(({ id }) => id).sort();
  const firstMs = Date.parse(ids[0]!.slice('pulse@'.length));
  expect(ids).toEqual(ids.map((_id, index) => `pulse@${new Date(firstMs + index * 1_000).toISOString()}`));
}

/** The broker puts what a closed channel had in hand back a moment later. */
async function untilStateIsBack(): Promise<void> {
  await until('the state is back', async () => (await bench.rabbit.depth(scheduleQueueOf(bench.queueName))) === 1);
}

/** What the leader's state says; put there by hand, as one that was left behind. */
async function leaveState(schedules: Record<string, { rule: string; done: Date; seen: Date }>): Promise<void> {
  const [first] = await replicas(1);
  await leaderOf([first!]);
  await first!.stop();
  await untilStateIsBack();
  await bench.rabbit.use((channel) => channel.purgeQueue(scheduleQueueOf(bench.queueName)));
  await bench.rabbit.send(scheduleQueueOf(bench.queueName), JSON.stringify({ schedules }));
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
  await bench.rabbit.use((channel) => channel.deleteQueue(scheduleQueueOf(bench.queueName)));
});

describe('three replicas', () => {
  it('put exactly one task per tick, with the body as it is and an id made of schedule and tick', async () => {
    const seen = await consumed();
    const all = await replicas(3);
    const [task] = await seen.atLeast(5);
    expectEverySecondOnce(seen.values);
    expect(task).toMatchObject({ type: 'beat', body: { n: 1 }, attempt: 1 });
    const busy = all.filter(({ enqueued }) => enqueued.values.length > 0);
    expect(busy.map(({ isLeading }) => isLeading)).toEqual([true]);
    expect(all.map(({ problem }) => problem)).toEqual([undefined, undefined, undefined]);
  });

  it('go on without a gap when the leader stops, one after the other', async () => {
    const seen = await consumed();
    const all = await replicas(3);
    for (let left = all; left.length > 1;) {
      const leader = await leaderOf(left);
      await leader.enqueued.atLeast(1);
      await leader.stop();
      left = left.filter((each) => each !== leader);
    }
    const last = await leaderOf(all);
    await last.enqueued.atLeast(2);
    await until('all are consumed', () => seen.values.length >= all.flatMap(({ enqueued }) => enqueued.values).length);
    expectEverySecondOnce(seen.values);
  });

  it('keep one small state in the queue, however many ticks there were', async () => {
    const all = await replicas(3);
    const leader = await leaderOf(all);
    await leader.enqueued.atLeast(3);
    await Promise.all(all.map((each) => each.stop()));
    await untilStateIsBack();
  });
});

describe('a leader that loses its connection', () => {
  it('enqueues no more, another goes on, and no second is missing or put twice', async () => {
    const proxy = await Proxy.open(Number(new URL(rabbitUrl()).port || 5672));
    const url = new URL(rabbitUrl());
    url.host = `127.0.0.1:${proxy.port}`;
    const seen = await consumed();
    const schedules: ScheduleOptions[] = [{ ...EVERY_SECOND, missed: 'run-once' }];
    const cut = new Replica(schedules, url.href);
    await cut.start();
    await cut.enqueued.atLeast(1);
    const [other] = [new Replica(schedules)];
    await other.start();
    proxy.resetAll();
    await other.enqueued.atLeast(2);
    expect(cut.isLeading).toBe(false);
    const before = cut.enqueued.values.length;
    await other.enqueued.atLeast(4);
    expect(cut.enqueued.values).toHaveLength(before);
    expectEverySecondOnce([...new Map(seen.values.map((task) => [task.id, task])).values()]);
    await cut.stop();
    await proxy.close();
  });
});

describe('a new leader', () => {
  const rule = '* * * * * * UTC';
  const ago = (ms: number) => new Date(Date.now() - ms);

  it('begins a schedule that nobody knows now', async () => {
    const beganMs = Date.now();
    const [only] = await replicas(1);
    const [first] = await only!.enqueued.atLeast(1);
    expect(first!.tick.getTime()).toBeGreaterThan(beganMs);
    expect(only!.missed.values).toEqual([]);
  });

  it('enqueues nothing late that is to be skipped, and says what was missed', async () => {
    await leaveState({ pulse: { rule, done: ago(600_000), seen: ago(600_000) } });
    const [only] = await replicas(1);
    const ticks = await only!.enqueued.atLeast(2);
    expect(Math.max(...ticks.map(({ lateMs }) => lateMs))).toBeLessThan(5_000);
    expect(only!.missed.values).toHaveLength(1);
    expect(Date.now() - only!.missed.values[0]!.first.getTime()).toBeGreaterThan(598_000);
  });

  it('enqueues one task for all that was missed, where that is wanted', async () => {
    await leaveState({ hourly: { rule: '0 0 * * * * UTC', done: ago(5 * 3_600_000), seen: ago(0) } });
    const seen = await consumed();
    const hourly: ScheduleOptions = { name: 'hourly', cron: '0 0 * * * *', missed: 'run-once', type: 'beat', body: {} };
    const [only] = await replicas(1, [hourly, EVERY_SECOND]);
    await only!.enqueued.atLeast(4);
    const late = only!.enqueued.values.filter(({ schedule }) => schedule === 'hourly');
    expect(late).toHaveLength(1);
    expect(late[0]!.tick.getTime()).toBe(Math.floor(Date.now() / 3_600_000) * 3_600_000);
    await until('it is consumed', () => seen.values.some(({ id }) => id === late[0]!.id));
  });

  it('enqueues each tick of the last minute, as after a crash, with the ids that they would have had', async () => {
    const done = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 20_000);
    await leaveState({ pulse: { rule, done, seen: done } });
    const seen = await consumed();
    const [only] = await replicas(1, [{ ...EVERY_SECOND, missed: 'run-once' }]);
    await only!.enqueued.atLeast(21);
    await seen.atLeast(21);
    expectEverySecondOnce(seen.values);
    expect(seen.values.map(({ id }) => id)).toContain(`pulse@${new Date(done.getTime() + 1_000).toISOString()}`);
    expect(only!.missed.values).toEqual([]);
  });

  it('begins a schedule now whose pattern was changed', async () => {
    await leaveState({ pulse: { rule: '0 0 * * * * UTC', done: ago(86_400_000), seen: ago(0) } });
    const [only] = await replicas(1, [{ ...EVERY_SECOND, missed: 'run-once' }]);
    await only!.enqueued.atLeast(2);
    expect(only!.enqueued.values[0]!.lateMs).toBeLessThan(2_000);
    expect(only!.missed.values).toEqual([]);
  });

  it('waits, and says so, when more is done than its clock knows', async () => {
    const done = new Date(Date.now() + 3_600_000);
    await leaveState({ pulse: { rule, done, seen: done } });
    const [only] = await replicas(1);
    await until('it says so', () => only!.problem?.code === 'SCHEDULE_AHEAD');
    expect(only!.enqueued.values).toEqual([]);
  });

  it('drops what is no state, and says so', async () => {
    await leaveState({});
    await bench.rabbit.send(scheduleQueueOf(bench.queueName), 'hello');
    const [only] = await replicas(1);
    await only!.enqueued.atLeast(1);
    expect(only!.told.values).toContainEqual(expect.stringContaining('SCHEDULE_STATE_INVALID'));
  });
});

describe('a queue that is gone', () => {
  it('is declared again under a leader, and the schedule goes on', async () => {
    const all = await replicas(2);
    await (await leaderOf(all)).enqueued.atLeast(1);
    await bench.rabbit.use((channel) => channel.deleteQueue(scheduleQueueOf(bench.queueName)));
    await until('both are told', () =>
      all.every(({ told }) => told.values.some((line) => /deleted or moved/.test(line))),
    );
    const counts = () => all.reduce((sum, { enqueued }) => sum + enqueued.values.length, 0);
    const before = counts();
    await until('it goes on', () => counts() >= before + 2);
  });

  it('is declared again when it is the work queue, and the tick is put', async () => {
    const all = await replicas(2);
    await (await leaderOf(all)).enqueued.atLeast(1);
    await bench.rabbit.use((channel) => channel.deleteQueue(bench.queueName));
    await until('its tasks arrive', async () => ((await bench.rabbit.depth(bench.queueName)) ?? 0) > 0);
  });
});

describe('a work queue that is full', () => {
  it('makes the leader say so and try again until there is room', async () => {
    await bench.rabbit.use((channel) =>
      channel.assertQueue(bench.queueName, {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' },
      }),
    );
    const [only] = await replicas(1, [{ ...EVERY_SECOND, missed: 'run-once' }]);
    await until('it says so', () => only!.problem?.code === 'PUBLISH_NACKED');
    const refused = only!.enqueued.values.length;
    await consumed();
    await only!.enqueued.atLeast(refused + 2);
    await until('all is well', () => only!.problem === undefined);
  });
});

describe('a tick', () => {
  it('is enqueued within 200 ms when nothing is wrong', async () => {
    const [only] = await replicas(1);
    const ticks = await only!.enqueued.atLeast(6);
    const late = ticks.map(({ lateMs }) => lateMs).sort((a, b) => a - b);
    // The best of them: this machine may be busy with other tests.
    expect(late[0]).toBeLessThan(200);
    expect(late[0]).toBeGreaterThanOrEqual(0);
  });
});

describe('start and stop', () => {
  it('do nothing without schedules, not even connect', async () => {
    const idle = new Scheduler({ rabbitUrl: 'amqp://127.0.0.1:1', queueName: bench.queueName, schedules: [] });
    await idle.start();
    expect(idle.problem).toBeUndefined();
    await idle.stop();
    await replicas(1);
  });

  it('rejects when a queue exists with which several would lead at once', async () => {
    const options = { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish' } };
    await bench.rabbit.use((channel) => channel.assertQueue(scheduleQueueOf(bench.queueName), options));
    const replica = new Replica([EVERY_SECOND]);
    await expect(replica.start()).rejects.toMatchObject({ code: 'BROKER_TOPOLOGY_MISMATCH' });
    expect(replica.problem).toMatchObject({ code: 'BROKER_TOPOLOGY_MISMATCH' });
  });

  it('rejects after stop, and stops before it was started', async () => {
    const replica = new Replica([EVERY_SECOND]);
    await replica.stop();
    await expect(replica.start()).rejects.toMatchObject({ code: 'STOPPED' });
    await replicas(1);
  });
});
