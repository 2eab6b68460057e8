import { getEventListeners } from 'node:events';
import { until } from '../../../../test/support/until';
import { PublishError, type MercuryError } from '../errors';
import { MemoryBroker } from '../testing';
import type { MemoryConnections } from '../testing/memory-connections';
import { Leadership } from './leadership';
import type { ScheduleOptions } from './schedule';
import { Scheduler } from './scheduler';

const START = new Date('2026-11-24T00:00:00Z');
const DAY_MS = 86_400_000;
const nightly = (name: string, missed: 'skip' | 'run-once' = 'skip'): ScheduleOptions => {
  return { name, cron: '0 3 * * *', timeZone: 'UTC', type: 'report', body: {}, missed };
};

let broker: MemoryBroker;
let connections: MemoryConnections;
let told: string[];
const schedulers: Scheduler[] = [];

beforeEach(() => {
  broker = new MemoryBroker(START);
  connections = broker.connect();
  told = [];
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.stop()));
});

/** A replica that tells what it does. */
function replica(schedules: readonly ScheduleOptions[], on: MemoryConnections = connections, name = ''): Scheduler {
  const scheduler = new Scheduler({ connections: on, queueName: 'reports', schedules });
  schedulers.push(scheduler);
  for (const event of ['leading', 'standby'] as const) scheduler.events.on(event, () => told.push(`${name}${event}`));
  scheduler.events.on('enqueued', ({ id }) => told.push(`${name}enqueued ${id}`));
  scheduler.events.on('missed', ({ schedule, first, last }) =>
    told.push(`${name}missed ${schedule} ${first.toISOString()} to ${last.toISOString()}`),
  );
  scheduler.events.on('problem', ({ code }: MercuryError) => told.push(`${name}problem ${code}`));
  return scheduler;
}

async function leading(schedules: readonly ScheduleOptions[], name = ''): Promise<Scheduler> {
  const scheduler = replica(schedules, connections, name);
  await scheduler.start();
  await until('it leads', () => scheduler.isLeading);
  return scheduler;
}

const idsOf = () => broker.messages('reports').map(({ id }) => id);

describe('a leader', () => {
  it('notes a tick only when its task is stored: one that the broker refused is put again', async () => {
    const put = jest.spyOn(Leadership.prototype, 'put');
    put.mockRejectedValueOnce(new PublishError('nacked', 'The queue is full.'));
    await leading([nightly('a')]);
    await broker.advance(3 * 3_600_000);
    expect(idsOf()).toEqual([]);
    await broker.advance(2_000);
    expect(idsOf()).toEqual(['a@2026-11-24T03:00:00.000Z']);
    expect(told).toEqual(['leading', 'problem PUBLISH_NACKED', 'enqueued a@2026-11-24T03:00:00.000Z']);
  });

  it('whose put nobody knows of puts the tick again, with the same id, whoever leads then', async () => {
    const put = jest.spyOn(Leadership.prototype, 'put');
    put.mockRejectedValueOnce(new PublishError('unknown', 'The channel closed before the confirm came.'));
    const scheduler = await leading([nightly('a')]);
    await broker.advance(3 * 3_600_000);
    await until('it is put again', () => idsOf().length > 0);
    expect(idsOf()).toEqual(['a@2026-11-24T03:00:00.000Z']);
    expect(scheduler.problem).toBeUndefined();
    expect(told).toContain('standby');
  });

  it('puts each tick once, of all that are due at once, however many there are', async () => {
    const schedules = Array.from({ length: 250 }, (_, index) => nightly(`s${index}`));
    await leading(schedules);
    await broker.advance(DAY_MS);
    expect(new Set(idsOf()).size).toBe(250);
    expect(idsOf()).toHaveLength(250);
  });

  it('puts at most 100 at once', async () => {
    let open = 0;
    let most = 0;
    const put = Leadership.prototype.put;
    jest.spyOn(Leadership.prototype, 'put').mockImplementation(async function (this: Leadership, task) {
      most = Math.max(most, (open += 1));
      await put.call(this, task);
      open -= 1;
    });
    await leading(Array.from({ length: 250 }, (_, index) => nightly(`s${index}`)));
    await broker.advance(DAY_MS);
    expect(most).toBe(100);
  });

  it('says once what was missed, and goes on with the next tick', async () => {
    const first = await leading([nightly('a')]);
    await broker.advance(DAY_MS);
    await first.stop();
    await broker.advance(2 * DAY_MS);
    connections = broker.connect();
    await leading([nightly('a')]);
    await broker.advance(DAY_MS);
    expect(told.filter((line) => line.startsWith('missed'))).toEqual([
      'missed a 2026-11-25T03:00:00.000Z to 2026-11-26T03:00:00.000Z',
    ]);
    expect(idsOf()).toEqual(['a@2026-11-24T03:00:00.000Z', 'a@2026-11-27T03:00:00.000Z']);
  });

  it('that stops leaves its place to another, which goes on where it was', async () => {
    const first = await leading([nightly('a')], 'first ');
    const second = replica([nightly('a')], broker.connect(), 'second ');
    await second.start();
    await broker.advance(DAY_MS);
    await first.stop();
    await until('the other leads', () => second.isLeading);
    expect(first.isLeading).toBe(false);
    await broker.advance(DAY_MS);
    expect(idsOf()).toEqual(['a@2026-11-24T03:00:00.000Z', 'a@2026-11-25T03:00:00.000Z']);
    expect(told).toEqual([
      'first leading',
      'first enqueued a@2026-11-24T03:00:00.000Z',
      'first standby',
      'second leading',
      'second enqueued a@2026-11-25T03:00:00.000Z',
    ]);
  });

  it('puts nothing any more once it is stopped, and is started no more', async () => {
    const scheduler = await leading([nightly('a')]);
    await scheduler.stop();
    await broker.advance(2 * DAY_MS);
    expect(idsOf()).toEqual([]);
    expect(scheduler.problem).toMatchObject({ message: 'The scheduler is stopped.' });
    await expect(scheduler.start()).rejects.toMatchObject({ code: 'STOPPED' });
  });

  it('keeps one state in the queue, and nothing else, however many ticks there were', async () => {
    const scheduler = await leading([nightly('a')]);
    await broker.advance(30 * DAY_MS);
    await scheduler.stop();
    expect(broker.messages('reports.schedule')).toHaveLength(1);
  });

  it('leaves no listener on the signal of its end', async () => {
    const scheduler = await leading([nightly('a')]);
    const { leaving } = scheduler as unknown as { leaving: AbortController };
    const before = getEventListeners(leaving.signal, 'abort').length;
    await broker.advance(60 * DAY_MS);
    expect(idsOf()).toHaveLength(60);
    expect(getEventListeners(leaving.signal, 'abort')).toHaveLength(before);
  });
});

it('a stopped scheduler leaves no listener on connections that others share', async () => {
  const listeners = () => {
    const { emitter } = connections.publishing.events as unknown as { emitter: NodeJS.EventEmitter };
    return emitter.eventNames().map((name) => [name, emitter.listenerCount(name)]);
  };
  const stays = await leading([nightly('a')]);
  const before = listeners();
  for (let round = 0; round < 20; round++) {
    const scheduler = replica([nightly('a')]);
    await scheduler.start();
    await scheduler.stop();
  }
  expect(listeners()).toEqual(before);
  await stays.stop();
});
