import type { ConfirmChannel } from 'amqplib';
import { DiscardTask, MemoryKeyStore, RetryTask, deadQueueOf, type WorkerClient } from '@mercury/messaging';
import { gate } from '../../support/until';
import { publish, type Stage } from './stage';
import { TaskStage } from './task-stage';

/** What becomes of a task, from its put to its end: the library as its users see it. */
export function describeTasks(stage: Stage): void {
  const tasks = new TaskStage(stage);
  let channel: ConfirmChannel;
  let queueName: string;
  let client: WorkerClient;

  beforeEach(() => {
    ({ channel, queueName, client } = tasks);
  });

  const working = tasks.working.bind(tasks);
  const untilDead = tasks.untilDead.bind(tasks);

  it('is executed with the body that was put, and gone', async () => {
    const worker = await working(() => undefined);
    const id = await client.put({ type: 'report', month: 11, text: 'ünïcode' }, { traceparent: TRACEPARENT });
    await stage.until('it has ended', () => worker.settled.length === 1);
    expect(worker.seen[0]?.task).toMatchObject({
      id,
      type: 'report',
      body: { type: 'report', month: 11, text: 'ünïcode' },
    });
    expect(worker.seen[0]?.task.headers).toMatchObject({ 'x-attempt': 1, traceparent: TRACEPARENT });
    expect(worker.settled).toMatchObject([{ id, attempt: 1, outcome: { kind: 'success' } }]);
    await stage.untilDepth(channel, queueName, 0);
  });

  it('that fails comes again after its levels, and then is a dead letter with its history', async () => {
    const worker = await working(() => {
      throw new TypeError('no such report');
    });
    const id = await client.put({ type: 'report' });
    await untilDead(1);
    const [first, second, third] = worker.seen;
    expect(worker.seen.map(({ task }) => [task.id, task.attempt])).toEqual([1, 2, 3].map((attempt) => [id, attempt]));
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(100);
    expect(third!.atMs - second!.atMs).toBeGreaterThanOrEqual(300);
    const letter = await channel.get(deadQueueOf(queueName));
    const headers = (letter && letter.properties.headers) as Record<string, unknown>;
    expect(letter && letter.content.toString()).toBe('{"type":"report"}');
    expect(headers).toMatchObject({
      'x-error-code': 'HANDLER_FAILED',
      'x-error-message': 'TypeError: no such report',
      'x-attempt': 3,
      'x-origin-queue': queueName,
    });
    expect(Object.keys(headers).filter((name) => name.includes('death'))).toEqual([]);
    const { attempts } = JSON.parse(String(headers['x-history'])) as {
      attempts: { attempt: number; startedAtMs: number }[];
    };
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(attempts[2]!.startedAtMs - attempts[0]!.startedAtMs).toBeGreaterThanOrEqual(395);
  });

  it('that throws DiscardTask is dead at once, and one that throws RetryTask comes no earlier than it wants', async () => {
    const worker = await working((task) => {
      if (task.type === 'never') throw new DiscardTask('no', { code: 'NEVER' });
      if (task.attempt === 1) throw new RetryTask('later', { delayMs: 200 });
    });
    await client.put({ type: 'never' });
    await client.put({ type: 'later' });
    await untilDead(1);
    await stage.until('it has ended', () => worker.settled.some(({ outcome }) => outcome.kind === 'success'));
    const later = worker.seen.filter(({ task }) => task.type === 'later');
    expect(later[1]!.atMs - later[0]!.atMs).toBeGreaterThanOrEqual(300);
    const letter = await channel.get(deadQueueOf(queueName));
    expect(letter && letter.properties.headers).toMatchObject({ 'x-error-code': 'NEVER', 'x-attempt': 1 });
  });

  it('of a foreign program is executed, and what is none is a dead letter', async () => {
    const worker = await working(() => undefined);
    for (const body of ['{"type":"report","n":1}', 'no json', '[]', '{"n":1}'])
      await publish(channel, '', queueName, body);
    await untilDead(3);
    await stage.until('it has ended', () => worker.settled.some(({ outcome }) => outcome.kind === 'success'));
    expect(worker.seen.map(({ task }) => task.body)).toEqual([{ type: 'report', n: 1 }]);
    const codes: unknown[] = [];
    for (let number = 0; number < 3; number++) {
      const letter = await channel.get(deadQueueOf(queueName));
      codes.push(letter && letter.properties.headers?.['x-error-code']);
    }
    expect(codes).toEqual(['INVALID_JSON', 'NOT_AN_OBJECT', 'NO_TYPE']);
  });

  it('of a program that says that it came often already runs beside the others all the same', async () => {
    const hold = gate();
    const worker = await working((task) => (task.type === 'long' ? hold.opened : undefined), { capacity: 2 });
    const problems: string[] = [];
    worker.events.on('problem', ({ code }) => problems.push(code));
    await client.put({ type: 'long' });
    await stage.until('it runs', () => worker.runningCount === 1);
    await publish(channel, '', queueName, '{"type":"quick"}', { headers: { 'x-delivery-count': 3 } });
    await stage.until('the other has ended', () => worker.settled.length === 1);
    expect([worker.settled[0]?.type, problems]).toEqual(['quick', []]);
    hold.open();
    await stage.until('both have ended', () => worker.settled.length === 2);
  });

  it('runs beside no more than the capacity, and waits meanwhile', async () => {
    const hold = gate();
    const worker = await working(() => hold.opened, { capacity: 2 });
    for (let number = 0; number < 5; number++) await client.put({ type: 'report', number });
    await stage.until('two run', () => worker.runningCount === 2);
    await stage.untilDepth(channel, queueName, 3);
    expect(worker.seen).toHaveLength(2);
    hold.open();
    await stage.until('all have ended', () => worker.settled.length === 5);
  });

  it('comes again with the same id and attempt when the connection of its worker is cut, which its signal tells', async () => {
    const other = await stage.program();
    const holds: ReturnType<typeof gate>[] = [];
    const worker = await working(() => holds[holds.push(gate()) - 1]!.opened, {}, other);
    const id = await client.put({ type: 'report' });
    await stage.until('it runs', () => worker.seen.length === 1);
    other.cut();
    await stage.until('the signal tells', () => worker.seen[0]!.task.signal.aborted);
    holds[0]!.open();
    await stage.until('it runs again', () => worker.seen.length === 2);
    holds[1]!.open();
    await stage.until('it has ended', () => worker.settled.length === 1);
    expect(worker.seen.map(({ task }) => [task.id, task.attempt])).toEqual([
      [id, 1],
      [id, 1],
    ]);
    expect(worker.seen[1]?.task.headers).toMatchObject({ 'x-delivery-count': 1 });
  });

  it('is given back untouched when its worker stops before it began', async () => {
    const hold = gate();
    const worker = await working(() => hold.opened, { capacity: 1 });
    await client.put({ type: 'report' });
    await client.put({ type: 'report' });
    await stage.until('one runs', () => worker.runningCount === 1);
    const stopped = worker.stop();
    hold.open();
    await stopped;
    await stage.untilDepth(channel, queueName, 1);
    expect(worker.settled).toHaveLength(1);
  });

  it('that has succeeded is not executed again', async () => {
    const worker = await working(() => undefined, { keyStore: new MemoryKeyStore() });
    const skipped: string[] = [];
    worker.events.on('skipped', ({ id }) => skipped.push(id));
    await client.put({ type: 'report' }, { id: 'one' });
    await stage.until('it has ended', () => worker.settled.length === 1);
    await client.put({ type: 'report' }, { id: 'one' });
    await stage.until('it was skipped', () => skipped.length === 1);
    expect(worker.seen).toHaveLength(1);
  });

  it('keeps the headers of its caller, and whom to answer, over attempts, a delay and its dead letter', async () => {
    const headers = { 'x-tenant': 'acme', baggage: 'k=v', hops: 300, urgent: true };
    const worker = await working(() => {
      throw new Error('no');
    });
    await client.put({ type: 'ours' }, { headers, delayMs: 1_100 });
    const nested = { ...headers, nested: { list: [1, 'x', null] } };
    const answer = { correlationId: 'c-1', replyTo: 'answers' };
    await publish(channel, '', queueName, '{"type":"theirs"}', { ...answer, headers: nested });
    await untilDead(2);
    const told = (wanted: string) => worker.seen.filter(({ task }) => task.type === wanted);
    for (const { task } of told('ours')) expect(task.headers).toMatchObject(headers);
    for (const { task } of told('theirs')) expect(task.headers).toMatchObject(nested);
    expect([told('ours').length, told('theirs').length]).toEqual([3, 3]);
    const letters = [await channel.get(deadQueueOf(queueName)), await channel.get(deadQueueOf(queueName))];
    for (const letter of letters) expect(letter && letter.properties.headers).toMatchObject(headers);
    const theirs = letters.find((letter) => letter && letter.content.toString().includes('theirs'));
    expect(theirs && theirs.properties).toMatchObject({ ...answer, headers: nested });
  });

  it('with a delay is executed no earlier, and at most a second later', async () => {
    const worker = await working(() => undefined);
    const putMs = stage.environment.nowMs();
    const delaysMs = [40, 700, 1_300, 2_600];
    await Promise.all(delaysMs.map((delayMs) => client.put({ type: 'report', delayMs }, { delayMs })));
    await stage.until('all have run', () => worker.seen.length === delaysMs.length);
    for (const { task, atMs } of worker.seen) {
      const dueMs = putMs + Number(task.body['delayMs']);
      expect(atMs).toBeGreaterThanOrEqual(dueMs);
      expect(atMs).toBeLessThan(dueMs + 1_000);
      expect(task.headers).not.toHaveProperty('x-not-before-ms');
    }
  });

  it('for which there is no queue any more is refused, and the next one finds it declared again', async () => {
    await client.put({ type: 'report' });
    await channel.deleteQueue(queueName);
    await expect(client.put({ type: 'report' })).rejects.toMatchObject({ code: 'PUBLISH_RETURNED' });
    await client.put({ type: 'report' });
    expect((await channel.checkQueue(queueName)).messageCount).toBe(1);
  });

  it('for which there is no room is refused', async () => {
    await channel.assertQueue(queueName, {
      durable: true,
      arguments: { 'x-queue-type': 'quorum', 'x-max-length': 2, 'x-overflow': 'reject-publish' },
    });
    const codes: unknown[] = [];
    await stage.until('one is refused', async () => {
      await client.put({ type: 'report' }).catch((error: unknown) => codes.push((error as { code?: string }).code));
      return codes.length > 0;
    });
    expect(codes).toEqual(['PUBLISH_NACKED']);
  });

  it('that is dead is held until there is room for its letter, and then is there', async () => {
    await channel.assertQueue(deadQueueOf(queueName), {
      durable: true,
      arguments: { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    });
    const worker = await working(() => {
      throw new DiscardTask('no');
    });
    for (let number = 0; number < 10; number++) await client.put({ type: 'report', number });
    await stage.until('some are held', () => /wait to be stored/.test(worker.problem?.message ?? ''));
    const letters = new Set<string>();
    await stage.until('all letters came', async () => {
      const letter = await channel.get(deadQueueOf(queueName));
      if (letter) {
        letters.add(letter.content.toString());
        channel.ack(letter);
      }
      return letters.size === 10;
    });
    await stage.until('nothing is held', () => worker.problem === undefined);
  });
}

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
