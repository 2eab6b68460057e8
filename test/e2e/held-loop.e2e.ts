import { deadQueueOf, type MercuryError } from '@mercury/messaging';
import { rabbitUrl } from '../support/rabbit';
import { gate, until } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [50];
/** The broker gives up a silent connection after two to three of them. */
const HEARTBEAT_S = 1;
const HOLD_MS = 3_500;

const bench = new Workbench(LEVELS_MS);

function hold(): void {
  const untilMs = performance.now() + HOLD_MS;
  while (performance.now() < untilMs) Math.sqrt(untilMs);
}

it('a handler that costs its worker the connection has used an attempt, and those beside it none', async () => {
  const url = new URL(rabbitUrl());
  url.searchParams.set('heartbeat', String(HEARTBEAT_S));
  const problems: MercuryError[] = [];
  const holds = gate();
  const beside: number[] = [];
  const worker = bench.worker(
    async ({ type, attempt }) => {
      if (type === 'holder') return hold();
      beside.push(attempt);
      await holds.opened;
    },
    { rabbitUrl: url.href, maxAttempts: 1, capacity: 5 },
  );
  worker.events.on('problem', (problem) => problems.push(problem));
  const settled: string[] = [];
  worker.events.on('settled', ({ type, attempt, outcome }) => settled.push(`${type} ${attempt} ${outcome.kind}`));
  await worker.start();
  const client = bench.client();
  await client.put({ type: 'innocent' });
  await worker.seen.atLeast(1);
  await client.put({ type: 'holder' });
  const dead = deadQueueOf(bench.queueName);
  await until('the letter', async () => (await bench.rabbit.depth(dead)) === 1, 25_000);
  holds.open();
  await until('the innocent one has ended', () => settled.some((text) => text.startsWith('innocent')), 10_000);
  const letter = await bench.rabbit.take(dead);
  expect(letter?.properties.headers).toMatchObject({ 'x-error-code': 'LOOP_HELD', 'x-attempt': 1 });
  expect(settled.sort()).toEqual(['holder 1 dead', 'innocent 1 success']);
  expect(new Set(beside)).toEqual(new Set([1]));
  const told = problems.filter(({ code }) => code === 'LOOP_HELD').map(({ message }) => message);
  expect(told).toEqual([
    expect.stringMatching(/^A handler of "holder" held the event loop for 3\.\d s \(task .*, attempt 1\)/),
  ]);
  expect(problems.filter(({ code }) => code === 'TASK_SUSPECTED' || code === 'BROKER_BLOCKED')).toEqual([]);
});
