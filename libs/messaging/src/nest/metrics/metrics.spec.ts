import type { ClientEvents } from '../../broker/events';
import { Events } from '../../events';
import type { SchedulerEvents } from '../../schedules/events';
import type { SettledAttempt, WorkerEvents } from '../../tasks/events';
import { Metrics } from './metrics';

const failure = { code: 'HANDLER_FAILED', message: 'no' };
const attempt: SettledAttempt = {
  id: '1',
  type: 'report',
  attempt: 1,
  queue: 'tasks',
  outcome: { kind: 'success' },
  durationMs: 30,
};

let metrics: Metrics;

beforeEach(() => {
  metrics = new Metrics();
});

/** The samples of one metric, as Prometheus reads them. */
async function samplesOf(name: string): Promise<string[]> {
  const text = await metrics.registry.getSingleMetricAsString(name);
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** What a skipped task has beside what is counted. */
const rest = {
  attempt: 1,
  maxAttempts: 6,
  isLastAttempt: false,
  tags: [],
  body: {},
  enqueuedAtMs: 1,
  headers: {},
  signal: new AbortController().signal,
  log: () => undefined,
};

describe('of a publisher', () => {
  it('count the publishes by outcome', async () => {
    const events = new Events<ClientEvents>();
    metrics.observePublisher('tasks', { events });
    for (const outcome of ['confirmed', 'confirmed', 'not-sent'] as const) events.emit('published', outcome, 3);
    expect(await samplesOf('mercury_tasks_published_total')).toEqual([
      'mercury_tasks_published_total{outcome="confirmed"} 2',
      'mercury_tasks_published_total{outcome="not-sent"} 1',
    ]);
  });

  it('measure in seconds', async () => {
    const events = new Events<ClientEvents>();
    metrics.observePublisher('tasks', { events });
    events.emit('published', 'confirmed', 30);
    expect(await samplesOf('mercury_tasks_publish_duration_seconds')).toEqual(
      expect.arrayContaining([
        'mercury_tasks_publish_duration_seconds_bucket{le="0.025"} 0',
        'mercury_tasks_publish_duration_seconds_bucket{le="0.1"} 1',
        'mercury_tasks_publish_duration_seconds_sum 0.03',
      ]),
    );
  });

  it('tell tasks and events apart', async () => {
    const events = new Events<ClientEvents>();
    metrics.observePublisher('tasks', { events: new Events<ClientEvents>() });
    metrics.observePublisher('events', { events });
    events.emit('published', 'confirmed', 1);
    expect(await samplesOf('mercury_tasks_published_total')).toEqual([]);
    expect(await samplesOf('mercury_events_published_total')).toHaveLength(1);
  });
});

it('of a scheduler tell whether it leads, and count ticks and gaps by schedule', async () => {
  const scheduler = { events: new Events<SchedulerEvents>(), isLeading: false };
  metrics.observeScheduler(scheduler);
  expect(await samplesOf('mercury_scheduler_leading')).toEqual(['mercury_scheduler_leading 0']);
  scheduler.isLeading = true;
  expect(await samplesOf('mercury_scheduler_leading')).toEqual(['mercury_scheduler_leading 1']);
  const tick = new Date();
  scheduler.events.emit('enqueued', { schedule: 'nightly', tick, id: 'i', lateMs: 1 });
  scheduler.events.emit('missed', { schedule: 'hourly', first: tick, last: tick });
  expect(await samplesOf('mercury_schedule_ticks_enqueued_total')).toEqual([
    'mercury_schedule_ticks_enqueued_total{schedule="nightly"} 1',
  ]);
  expect(await samplesOf('mercury_schedule_gaps_total')).toEqual(['mercury_schedule_gaps_total{schedule="hourly"} 1']);
});

describe('of a worker', () => {
  let worker: { events: Events<WorkerEvents>; runningCount: number; capacity: number; types: string[] };

  beforeEach(() => {
    worker = { events: new Events<WorkerEvents>(), runningCount: 0, capacity: 10, types: ['report', 'mail'] };
    metrics.observeWorker(worker);
  });

  it('tell how many tasks run at the time of asking, and how many may', async () => {
    expect(await samplesOf('mercury_tasks_running')).toEqual(['mercury_tasks_running 0']);
    worker.runningCount = 7;
    expect(await samplesOf('mercury_tasks_running')).toEqual(['mercury_tasks_running 7']);
    expect(await samplesOf('mercury_worker_capacity')).toEqual(['mercury_worker_capacity 10']);
  });

  it('count the attempts by type and outcome, and their time in seconds', async () => {
    worker.events.emit('settled', attempt);
    worker.events.emit('settled', { ...attempt, outcome: { kind: 'retry', levelMs: 1_000, failure } });
    worker.events.emit('settled', { ...attempt, type: 'mail', outcome: { kind: 'dead', failure } });
    expect(await samplesOf('mercury_task_attempts_total')).toEqual([
      'mercury_task_attempts_total{type="report",outcome="success"} 1',
      'mercury_task_attempts_total{type="report",outcome="retry"} 1',
      'mercury_task_attempts_total{type="mail",outcome="dead"} 1',
    ]);
    expect(await samplesOf('mercury_task_duration_seconds')).toContain(
      'mercury_task_duration_seconds_sum{type="report",outcome="success"} 0.03',
    );
  });

  it('count the tasks that were skipped, and not as attempts', async () => {
    const { id, type, queue } = attempt;
    worker.events.emit('skipped', { id, type, queue, ...rest });
    expect(await samplesOf('mercury_tasks_skipped_total')).toEqual(['mercury_tasks_skipped_total{type="report"} 1']);
    expect(await samplesOf('mercury_task_attempts_total')).toEqual([]);
  });

  it('never take the type of a message that nobody knows for a label, however it ends', async () => {
    for (const type of ['', 'x', 'y']) {
      for (const kind of ['retry', 'dead'] as const) {
        worker.events.emit('settled', { ...attempt, type, outcome: { kind, levelMs: 1_000, failure } });
      }
    }
    const { id, queue } = attempt;
    worker.events.emit('skipped', { id, type: 'z', queue, ...rest });
    expect(await samplesOf('mercury_task_attempts_total')).toEqual([
      'mercury_task_attempts_total{type="other",outcome="retry"} 3',
      'mercury_task_attempts_total{type="other",outcome="dead"} 3',
    ]);
    expect(await samplesOf('mercury_tasks_skipped_total')).toEqual(['mercury_tasks_skipped_total{type="other"} 1']);
  });
});

it('each application has a registry of its own, with the metrics of its process', async () => {
  const other = new Metrics();
  const events = new Events<ClientEvents>();
  metrics.observePublisher('tasks', { events });
  other.observePublisher('tasks', { events: new Events<ClientEvents>() });
  events.emit('published', 'confirmed', 1);
  expect(await other.registry.getSingleMetricAsString('mercury_tasks_published_total')).not.toContain('confirmed"');
  expect(await samplesOf('process_cpu_seconds_total')).toHaveLength(1);
});
