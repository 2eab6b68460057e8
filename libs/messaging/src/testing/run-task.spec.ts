import { DiscardTask, PostponeTask, RetryTask } from '../errors';
import type { WorkerOptions } from '../tasks/options';
import type { Task } from '../tasks/task';
import { Worker } from '../tasks/worker';
import { runTask, type RunTaskOptions } from './run-task';

interface Report {
  month: number;
}

class ReportWorker extends Worker<Report> {
  constructor(options: Partial<WorkerOptions> = {}) {
    super({ rabbitUrl: 'amqp://127.0.0.1:1', queueName: 'reports', ...options });
  }

  override handler({ body }: Task<Report>): void {
    if (body.month === 0) throw new TypeError('not now');
    if (body.month > 12) throw new DiscardTask(`There is no month ${body.month}.`, { code: 'NO_SUCH_MONTH' });
  }
}

it('gives a handler the task as a worker does, and tells that it succeeded', async () => {
  let seen: Task | undefined;
  const handler = (task: Task) => void (seen = task);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const options = { id: 'order-7', attempt: 2, traceparent, queueName: 'reports' };
  const result = await runTask(handler, { type: 'report', at: new Date(0) }, options);
  expect(result).toMatchObject({ outcome: { kind: 'success' }, id: 'order-7', movedTo: undefined });
  expect(seen).toMatchObject({ id: 'order-7', type: 'report', attempt: 2, queue: 'reports', headers: { traceparent } });
  expect(seen?.body).toEqual({ type: 'report', at: '1970-01-01T00:00:00.000Z' });
});

it('asks the handler of a worker, which needs no broker', async () => {
  const worker = new ReportWorker();
  expect((await runTask(worker, { type: 'report', month: 12 })).outcome).toEqual({ kind: 'success' });
  const { outcome, movedTo } = await runTask(worker, { type: 'report', month: 13 });
  const failure = { code: 'NO_SUCH_MONTH', message: 'There is no month 13.' };
  expect(outcome).toEqual({ kind: 'dead', failure });
  expect(movedTo).toMatchObject({
    queue: 'reports.dead',
    body: { type: 'report', month: 13 },
    headers: { 'x-error-code': 'NO_SUCH_MONTH', 'x-attempt': 1, 'x-origin-queue': 'reports' },
  });
});

it.each([
  [1, 'tasks.retry.1000', 2],
  [2, 'tasks.retry.10000', 3],
  [6, 'tasks.dead', 6],
])('moves attempt %d, when it fails, to %s', async (attempt, queue, nextAttempt) => {
  const fail = () => {
    throw new TypeError('not now');
  };
  const { movedTo } = await runTask(fail, {}, { attempt });
  expect(movedTo).toMatchObject({ queue, type: 'task', headers: { 'x-attempt': nextAttempt } });
  expect(String(movedTo?.headers['x-history'])).toContain('TypeError: not now');
});

it('keeps to attempts, levels and timeout that are given', async () => {
  const later = () => {
    throw new RetryTask('busy', { delayMs: 150 });
  };
  const policy = { maxAttempts: 2, retryDelaysMs: [100, 200] };
  expect((await runTask(later, {}, policy)).outcome).toMatchObject({ kind: 'retry', levelMs: 200 });
  expect((await runTask(later, {}, { ...policy, attempt: 2 })).outcome).toMatchObject({ kind: 'dead' });
  const endless = ({ signal }: Task) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  const { outcome } = await runTask(endless, {}, { handlerTimeoutMs: 10 });
  expect(outcome).toMatchObject({ kind: 'retry', failure: { code: 'HANDLER_TIMEOUT' } });
});

it('keeps to the rules of the worker that is given, unless others are', async () => {
  const worker = new ReportWorker({ maxAttempts: 2, retryDelaysMs: [500], maxPayloadBytes: 50 });
  const moved = async (options: RunTaskOptions) => (await runTask(worker, { month: 0 }, options)).movedTo?.queue;
  expect(await moved({})).toBe('reports.retry.500');
  expect(await moved({ attempt: 2 })).toBe('reports.dead');
  expect(await moved({ attempt: 2, maxAttempts: 3, retryDelaysMs: [700] })).toBe('reports.retry.700');
  expect(await moved({ queueName: 'others' })).toBe('others.retry.500');
  const large = { month: 1, type: 'x'.repeat(50) };
  await expect(runTask(worker, large)).rejects.toMatchObject({ code: 'TASK_TOO_LARGE' });
  expect((await runTask(worker, large, { maxPayloadBytes: 100 })).outcome.kind).toBe('success');
});

it.each<[unknown, RunTaskOptions, string]>([
  [{ type: '' }, {}, 'TASK_INVALID'],
  [{}, { type: '' }, 'TASK_INVALID'],
  [{}, { id: '' }, 'TASK_INVALID'],
  [{}, { traceparent: '' }, 'TASK_INVALID'],
  [null, {}, 'TASK_INVALID'],
  [undefined, {}, 'TASK_INVALID'],
  [[], {}, 'TASK_INVALID'],
  [{}, { maxAttempts: 0 }, 'CONFIG_INVALID'],
  [{}, { attempt: 0 }, 'CONFIG_INVALID'],
  [{}, { attempt: 1.5 }, 'CONFIG_INVALID'],
])('refuses %j with %j, which no client or worker would take', async (body, options, code) => {
  await expect(runTask(() => undefined, body as object, options)).rejects.toMatchObject({ code });
});

it('shows where a task that was postponed waits, and until when', async () => {
  const postponing = () => {
    throw new PostponeTask(90_000, 'Order 7 is locked.', { code: 'LOCKED' });
  };
  const { outcome, movedTo } = await runTask(postponing, {}, { attempt: 2 });
  expect(outcome).toEqual({
    kind: 'postponed',
    delayMs: 90_000,
    reason: { code: 'LOCKED', message: 'Order 7 is locked.' },
  });
  expect(movedTo).toMatchObject({ queue: 'tasks.delay.60000', headers: { 'x-attempt': 2, 'x-postponed-ms': 90_000 } });
  const limited = await runTask(postponing, {}, { postpone: { maxTotalMs: 60_000 } });
  expect(limited.outcome).toMatchObject({ kind: 'retry', failure: { code: 'POSTPONED_TOO_LONG' } });
});
