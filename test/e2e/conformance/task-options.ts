import type { ConfirmChannel } from 'amqplib';
import { PostponeTask, deadQueueOf, type WorkerClient } from '@mercury/messaging';
import type { Stage } from './stage';
import { TaskStage } from './task-stage';

/** What is asked for one task, by who puts it and by its handler. */
export function describeTaskOptions(stage: Stage): void {
  const tasks = new TaskStage(stage);
  let channel: ConfirmChannel;
  let queueName: string;
  let client: WorkerClient;

  beforeEach(() => {
    ({ channel, queueName, client } = tasks);
  });

  const working = tasks.working.bind(tasks);
  const untilDead = tasks.untilDead.bind(tasks);

  it('that is postponed comes later as the same attempt, and one that is postponed too often fails', async () => {
    const worker = await working(
      ({ type }) => {
        if (type === 'locked' && worker.seen.length > 2) return;
        throw new PostponeTask(300, 'The order is locked.', { code: 'LOCKED' });
      },
      { maxAttempts: 1, postpone: { maxCount: 2 } },
    );
    await client.put({ type: 'locked' }, { headers: { 'x-tenant': 'acme' } });
    await stage.until('it has ended', () => worker.settled.some(({ outcome }) => outcome.kind === 'success'));
    const kinds = worker.settled.map(({ attempt, outcome }) => [attempt, outcome.kind]);
    expect(kinds).toEqual([
      [1, 'postponed'],
      [1, 'postponed'],
      [1, 'success'],
    ]);
    const [first, second, third] = worker.seen;
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(300);
    expect(third!.atMs - second!.atMs).toBeGreaterThanOrEqual(300);
    expect(third?.task.headers).toMatchObject({ 'x-execution': 3, 'x-postponed': 2, 'x-tenant': 'acme' });
    await client.put({ type: 'never' });
    await untilDead(1);
    const letter = await channel.get(deadQueueOf(queueName));
    const counts = { 'x-attempt': 1, 'x-execution': 3, 'x-postponed-ms': 600 };
    expect(letter && letter.properties.headers).toMatchObject({ 'x-error-code': 'POSTPONED_TOO_LONG', ...counts });
  });

  it('with tags and attempts of its own has them at each attempt, and as a dead letter', async () => {
    const seen: unknown[] = [];
    await working(({ tags, maxAttempts, isLastAttempt }) => {
      seen.push([tags, maxAttempts, isLastAttempt]);
      throw new Error('no');
    });
    await client.put({ type: 'report' }, { tags: ['order:4711', 'eilig ✓'], maxAttempts: 2, timeoutMs: 5_000 });
    await untilDead(1);
    expect(seen).toEqual([false, true].map((isLast) => [['order:4711', 'eilig ✓'], 2, isLast]));
    const letter = await channel.get(deadQueueOf(queueName));
    expect(letter && letter.properties.headers).toMatchObject({
      'x-tags': ['order:4711', 'eilig ✓'],
      'x-max-attempts': 2,
      'x-timeout-ms': 5_000,
      'x-attempt': 2,
    });
  });

  it('that was not begun in time is dead, also when it has failed before', async () => {
    const worker = await working(() => {
      throw new Error('no');
    });
    await client.put({ type: 'report' }, { ttlMs: 50 });
    await untilDead(1);
    expect(worker.seen.length).toBeLessThan(2);
    const letter = await channel.get(deadQueueOf(queueName));
    expect(letter && letter.properties.headers).toMatchObject({ 'x-error-code': 'EXPIRED' });
  });

  it('put with many others has an outcome of its own', async () => {
    const outcomes = await client.putAll([
      ...Array.from({ length: 1_500 }, (_, number) => ({ body: { number }, type: 'report' })),
      { body: { type: '' } },
    ]);
    expect(outcomes.filter(({ stored }) => stored)).toHaveLength(1_500);
    expect(outcomes[1_500]).toMatchObject({ stored: false, error: { code: 'TASK_INVALID' } });
    await stage.untilDepth(channel, queueName, 1_500);
  });
}
