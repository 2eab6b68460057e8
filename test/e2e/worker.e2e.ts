import type { Options } from 'amqplib';
import { DiscardTask, RetryTask, WorkerClient, deadQueueOf, retryQueueOf } from '@mercury/messaging';
import { Collector, gate, until } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [100, 300];

const bench = new Workbench(LEVELS_MS);

describe('capacity', () => {
  it('never runs more tasks at once than its capacity, whatever is queued', async () => {
    const sender = bench.client();
    await Promise.all(Array.from({ length: 100 }, (_, number) => sender.put({ type: 'count', number })));
    const worker = bench.worker(() => new Promise((resolve) => setImmediate(resolve)), { capacity: 2 });
    await worker.start();
    await worker.seen.atLeast(100);
    expect(worker.most).toBe(2);
  });

  it('leaves what it has no capacity for in the queue, for other workers', async () => {
    const hold = gate();
    const sender = bench.client();
    const busy = bench.worker(() => hold.opened, { capacity: 1 });
    await busy.start();
    await Promise.all([1, 2, 3].map((number) => sender.put({ type: 'count', number })));
    await busy.seen.atLeast(1);
    const idle = bench.worker(() => undefined, { capacity: 1 });
    await idle.start();
    await idle.seen.atLeast(2);
    expect(busy.seen.values).toHaveLength(1);
    hold.open();
  });

  it('shares a queue fairly between two workers of the same capacity', async () => {
    const sender = bench.client();
    const workers = [1, 2].map(() => bench.worker(() => new Promise(setImmediate), { capacity: 2 }));
    await Promise.all(workers.map((worker) => worker.start()));
    await Promise.all(Array.from({ length: 200 }, (_, number) => sender.put({ type: 'count', number })));
    const total = () => workers.reduce((sum, worker) => sum + worker.seen.values.length, 0);
    await until('200 tasks executed', () => total() === 200);
    for (const worker of workers) expect(worker.seen.values.length).toBeGreaterThan(50);
  });
});

describe('put', () => {
  it('resolves to the id of a task that is stored, as exactly the JSON that was put', async () => {
    const id = await bench.client().put({ type: 'event', nested: { list: [1, 'ä', null] } });
    const message = await bench.rabbit.take(bench.queueName);
    expect(message?.content.toString()).toBe('{"type":"event","nested":{"list":[1,"ä",null]}}');
    expect(message?.properties).toMatchObject({
      messageId: id,
      type: 'event',
      contentType: 'application/json',
      deliveryMode: 2,
      appId: 'mercury',
      headers: { 'x-attempt': 1, 'x-enqueued-at-ms': expect.any(Number) as number },
    });
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7/);
  });

  it('fails when the queue was deleted meanwhile, instead of losing the task silently', async () => {
    const sender = bench.client();
    await sender.put({ type: 'event' });
    await bench.rabbit.use((channel) => channel.deleteQueue(bench.queueName));
    await expect(sender.put({ type: 'event' })).rejects.toMatchObject({
      code: 'PUBLISH_RETURNED',
      outcome: 'returned',
    });
  });

  it('fails within its deadline when the broker is away, and says so', async () => {
    const away = new WorkerClient({
      rabbitUrl: 'amqp://127.0.0.1:1',
      queueName: bench.queueName,
      publishTimeoutMs: 300,
    });
    away.events.on('problem', () => undefined);
    const startedAtMs = performance.now();
    await expect(away.put({ type: 'event' })).rejects.toMatchObject({
      code: 'PUBLISH_NOT_SENT',
      message: expect.stringContaining('cannot be reached') as string,
    });
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    await away.stop();
  });

  it('refuses what is no task before anything is sent', async () => {
    const sender = bench.client();
    await expect(sender.put([] as object)).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(sender.put({ no: 'type' })).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(sender.put({ type: 'event' }, { id: 'with space' })).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(sender.put({ type: 'event', big: 'x'.repeat(1_048_576) })).rejects.toMatchObject({
      code: 'TASK_TOO_LARGE',
    });
  });
});

describe('a failing handler', () => {
  it('gets the task again after each retry level, then the task is a dead letter that says why', async () => {
    const worker = bench.worker(() => {
      throw new TypeError('no such report');
    });
    await worker.start();
    const id = await bench.client().put({ type: 'report' });
    await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
    expect(worker.seen.values.map((task) => [task.id, task.attempt])).toEqual(
      [1, 2, 3].map((attempt) => [id, attempt]),
    );
    const letter = await bench.rabbit.take(deadQueueOf(bench.queueName));
    expect(letter?.content.toString()).toBe('{"type":"report"}');
    expect(letter?.properties).toMatchObject({ messageId: id, type: 'report' });
    const headers = letter?.properties.headers as Record<string, unknown>;
    expect(headers).toMatchObject({
      'x-error-code': 'HANDLER_FAILED',
      'x-error-message': 'TypeError: no such report',
      'x-attempt': 3,
      'x-origin-queue': bench.queueName,
    });
    expect(Number(headers['x-last-failed-at-ms']) - Number(headers['x-first-failed-at-ms'])).toBeGreaterThanOrEqual(
      400,
    );
    expect(await bench.rabbit.depth(bench.queueName)).toBe(0);
  });

  it('succeeds on a later attempt', async () => {
    const worker = bench.worker((task) => {
      if (task.attempt === 1) throw new Error('not yet');
    });
    const outcomes = new Collector<string>();
    worker.events.on('settled', ({ attempt, outcome }) => outcomes.push(`${attempt} ${outcome.kind}`));
    await worker.start();
    await bench.client().put({ type: 'report' });
    expect(await outcomes.atLeast(2)).toEqual(['1 retry', '2 success']);
  });

  it('is not asked again when it throws DiscardTask', async () => {
    const worker = bench.worker(() => {
      throw new DiscardTask('the customer is gone', { code: 'CUSTOMER_GONE' });
    });
    await worker.start();
    await bench.client().put({ type: 'report' });
    await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
    const letter = await bench.rabbit.take(deadQueueOf(bench.queueName));
    expect(letter?.properties.headers).toMatchObject({ 'x-error-code': 'CUSTOMER_GONE', 'x-attempt': 1 });
  });

  it('is asked again no earlier than a RetryTask wants', async () => {
    const times: number[] = [];
    const worker = bench.worker((task) => {
      times.push(Date.now());
      if (task.attempt === 1) throw new RetryTask('busy', { delayMs: 200 });
    });
    await worker.start();
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(2);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(200);
  });

  it('is cut off after its timeout: the signal aborts, and the attempt has failed', async () => {
    const aborted = new Collector<unknown>();
    const worker = bench.worker(
      (task) => new Promise(() => task.signal.addEventListener('abort', () => aborted.push(task.signal.reason))),
      { handlerTimeoutMs: 50, maxAttempts: 1 },
    );
    await worker.start();
    await bench.client().put({ type: 'report' });
    expect(await aborted.atLeast(1)).toMatchObject([{ code: 'HANDLER_TIMEOUT' }]);
    await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
  });
});

describe('a message that is no task', () => {
  it.each([
    ['INVALID_JSON', 'not json'],
    ['INVALID_JSON', Buffer.from([0xff, 0xfe, 0x00])],
    ['INVALID_JSON', ''],
    ['NOT_AN_OBJECT', '[1,2]'],
    ['NOT_AN_OBJECT', 'null'],
    ['NO_TYPE', '{"a":1}'],
    ['NO_TYPE', '{"type":7}'],
  ])('is a dead letter %s at once, unchanged, and the worker goes on: %p', async (code, body) => {
    const worker = bench.worker(() => undefined);
    await worker.start();
    await bench.rabbit.send(bench.queueName, body);
    await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
    const letter = await bench.rabbit.take(deadQueueOf(bench.queueName));
    expect(letter?.content).toEqual(Buffer.from(body));
    expect(letter?.properties.headers).toMatchObject({ 'x-error-code': code, 'x-attempt': 1 });
    await bench.client().put({ type: 'fine' });
    await worker.seen.atLeast(1);
    expect(worker.seen.values.map((task) => task.type)).toEqual(['fine']);
  });
});

/** A number as a foreign program may write it, where amqplib by itself would choose an integer. */
const double = (value: number) => ({ '!': 'double', value });

describe('a foreign message whose properties do not fit back into AMQP', () => {
  it.each<[string, Options.Publish]>([
    ['a timestamp that no date can hold', { timestamp: 2 ** 53 + 2 }],
    ['a time that is a fraction', { headers: { 'x-enqueued-at-ms': double(2 ** 50 + 0.5) } }],
    ['a time far below zero', { headers: { 'x-first-failed-at-ms': double(-1e300) } }],
    ['an attempt that is none', { headers: { 'x-attempt': 'many' } }],
  ])('becomes a dead letter like any other: %s', async (_what, properties) => {
    const worker = bench.worker(() => {
      throw new DiscardTask('no');
    });
    await worker.start();
    await bench.rabbit.send(bench.queueName, '{"type":"report"}', properties);
    await until('the dead letter', async () => (await bench.rabbit.depth(deadQueueOf(bench.queueName))) === 1);
    expect(worker.problem).toBeUndefined();
  });
});

describe('a retry level that was deleted', () => {
  it('is declared again for the task that needs it', async () => {
    const worker = bench.worker((task) => {
      if (task.attempt === 1) throw new Error('once');
    });
    worker.events.on('problem', () => undefined);
    await worker.start();
    await bench.rabbit.use((channel) => channel.deleteQueue(retryQueueOf(bench.queueName, LEVELS_MS[0]!)));
    await bench.client().put({ type: 'report' });
    await worker.seen.atLeast(2);
    expect(worker.seen.values.map(({ attempt }) => attempt)).toEqual([1, 2]);
    await until('nothing is held', () => worker.problem === undefined);
  });
});

describe('a work queue that was deleted', () => {
  it('leaves a task that returns from its retry level in mercury.unrouted, where an alarm sees it', async () => {
    const client = bench.client();
    const id = await client.put({ type: 'report' });
    await client.stop();
    const message = await bench.rabbit.take(bench.queueName);
    await bench.rabbit.use((channel) => channel.deleteQueue(bench.queueName));
    const level = retryQueueOf(bench.queueName, LEVELS_MS[0]!);
    await bench.rabbit.send(level, message!.content, message!.properties);
    const unrouted: unknown[] = [];
    await until('it is there', async () => {
      unrouted.push((await bench.rabbit.take('mercury.unrouted'))?.properties.messageId);
      return unrouted.includes(id);
    });
  });
});
