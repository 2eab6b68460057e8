import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeadLetters, Scheduler, type Task } from '@mercury/messaging';
import { LEVELS_MS, PULSE, QUEUE_NAME, bringBack, leaveBehind, type LeftBehind } from '../support/left-behind';
import { Collector, until } from '../support/until';
import { Used } from '../support/used';
import { VirtualHost } from '../support/virtual-host';
import { TestWorker } from '../support/workbench';

/** One for each version: `MERCURY_RECORD=0.2.0 npm run test:e2e -- upgrade` writes that of this one, before it is published. */
const folder = join(__dirname, '../upgrade');
const recorded = readdirSync(folder).filter((file) => file.endsWith('.json'));
const recording = process.env['MERCURY_RECORD'];

let host: VirtualHost;
const used = new Used();
beforeEach(async () => {
  host = await VirtualHost.create();
});
afterEach(async () => {
  await used.stop();
  await host.delete();
});

if (recording) {
  it('is recorded', async () => {
    writeFileSync(join(folder, `${recording}.json`), `${JSON.stringify(await leaveBehind(host), null, 2)}\n`);
  });
}

const leftBy = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as LeftBehind;

/** Of all versions at once: some of their tasks are delayed by ten seconds. */
const executing = new Map<string, { worker: TestWorker; problems: string[] }>();
const executors = new Used();
const hosts: VirtualHost[] = [];

beforeAll(async () => {
  for (const file of recorded) {
    const own = await VirtualHost.create();
    hosts.push(own);
    await bringBack(own, leftBy(file));
    const worker = executors.add(new TestWorker(QUEUE_NAME, LEVELS_MS, () => undefined, { rabbitUrl: own.url }));
    const problems: string[] = [];
    worker.events.on('problem', ({ message }) => problems.push(message));
    await worker.start();
    executing.set(file, { worker, problems });
  }
});
afterAll(async () => {
  await executors.stop();
  for (const own of hosts) await own.delete();
});

describe.each(recorded)('what the version of %s has left behind', (file) => {
  let left: LeftBehind;
  const options = () => ({ rabbitUrl: host.url, queueName: QUEUE_NAME, retryDelaysMs: LEVELS_MS });

  beforeEach(async () => {
    left = leftBy(file);
    await bringBack(host, left);
  });

  it('is executed, each task once: what waits, what is to be tried again, and what is delayed', async () => {
    const { worker, problems } = executing.get(file)!;
    const beats = left.messages.filter(({ queue, properties }) => queue === QUEUE_NAME && properties.type === 'beat');
    const expected = [
      'delayed-1',
      'retry-1',
      'waiting-1',
      'waiting-2',
      ...beats.map(({ properties }) => properties.messageId),
    ];
    await until('all have come', () => worker.seen.values.length >= expected.length, 25_000);
    const task = (id: string) => worker.seen.values.find((seen: Task) => seen.id === id);
    expect(worker.seen.values.map(({ id }) => id).sort()).toEqual(expected.sort());
    expect(task('retry-1')).toMatchObject({ attempt: 2, body: { month: 2 } });
    expect(task('waiting-1')?.headers).toMatchObject({ 'x-tenant': 'acme' });
    expect(task('waiting-2')?.body).toEqual({ type: 'event', nested: { zoë: [1, 2.5, null, '€'] } });
    expect(problems).toEqual([]);
  });

  it('can be read and replayed where it is dead', async () => {
    const letters = used.add(new DeadLetters({ rabbitUrl: host.url, queueName: QUEUE_NAME }));
    const { letters: found } = await letters.list({ code: 'GONE' });
    expect(found.map(({ id, message, attempt }) => [id, message, attempt])).toEqual([
      ['dead-1', 'It is gone.', 1],
      ['dead-2', 'It is gone.', 1],
    ]);
    const [details] = (await letters.get('dead-1')).letters;
    expect(details).toMatchObject({ body: { month: 1 }, attempts: [{ attempt: 1, code: 'GONE' }] });
    const replayed: unknown[] = [];
    for await (const { id } of letters.replay({ ids: ['dead-1'] })) if (id !== undefined) replayed.push(id);
    expect(replayed).toEqual(['dead-1']);
  });

  it('is what a scheduler goes on from', async () => {
    const scheduler = used.add(new Scheduler({ ...options(), schedules: [PULSE] }));
    // What it begins with: told as missed, or, within a minute of the recording, put.
    const begun = new Collector<Date>();
    scheduler.events.on('missed', ({ first }) => begun.push(first));
    scheduler.events.on('enqueued', ({ tick }) => begun.push(tick));
    await scheduler.start();
    const [first] = await begun.atLeast(1);
    const ticks = left.messages.flatMap(({ properties }) =>
      properties.type === 'beat' ? [properties.messageId ?? ''] : [],
    );
    const lastMs = Math.max(...ticks.map((id) => Date.parse(id.slice('pulse@'.length))));
    expect(first).toEqual(new Date(lastMs + 1_000));
  });
});
