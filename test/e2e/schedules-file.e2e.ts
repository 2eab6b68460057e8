import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scheduleQueueOf } from '@mercury/messaging';
import { acquireBroker, type Broker } from '../../tools/broker';
import { Processes, type ProjectProcess } from '../support/processes';
import { Rabbit, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const BROKER_TIMEOUT_MS = 180_000;
const LEADS = 'Enqueues the schedules';

const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), 'mercury-schedules-'));
const file = join(folder, 'schedules.json');
let broker: Broker;
let rabbit: Rabbit;
let queueName: string;

beforeAll(async () => {
  // One of its own: these tests stop it.
  broker = await acquireBroker();
  rabbit = await Rabbit.connect(broker.amqpUrl);
}, BROKER_TIMEOUT_MS);

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await rabbit.close().catch(() => undefined);
  await broker.release();
}, BROKER_TIMEOUT_MS);

beforeEach(() => {
  queueName = uniqueName('schedules');
  Object.assign(processes.env, {
    RABBITMQ_URL: broker.amqpUrl,
    PORT: '0',
    QUEUE_NAME: queueName,
    SCHEDULES_FILE: file,
    LOG_LEVEL: 'debug',
  });
});

function write(...schedules: object[]): void {
  const task = { type: 'sleep', body: { ms: 1 } };
  writeFileSync(file, JSON.stringify(schedules.map((schedule) => ({ ...task, ...schedule }))));
}

const pulse = (missed: string) => ({ name: `pulse-${missed}`, cron: '* * * * * *', missed });

const producer = () => processes.start('start', 'producer');

/** Which of them leads, as its log says; those that were killed do not count. */
async function leaderOf(all: readonly ProjectProcess[]): Promise<ProjectProcess> {
  const leads = (each: ProjectProcess) => each.lines.some((line) => line.includes(LEADS));
  await until('one leads', () => all.some(leads), 40_000);
  return all.find(leads)!;
}

/** Takes all tasks out of the queue: the time of each tick in seconds, with how often it was put, by the name of its schedule. */
async function putTicks(url: string): Promise<Map<string, Map<number, number>>> {
  const ticks = new Map<string, Map<number, number>>();
  const reader = await Rabbit.connect(url);
  for (let message = await reader.take(queueName); message; message = await reader.take(queueName)) {
    const [name = '', time = ''] = String(message.properties.messageId).split('@');
    const bySecond = ticks.get(name) ?? new Map<number, number>();
    const second = Date.parse(time) / 1_000;
    ticks.set(name, bySecond.set(second, (bySecond.get(second) ?? 0) + 1));
  }
  await reader.close();
  return ticks;
}

/** How many seconds between the first and the last are not there. */
function holesOf(ticks: Map<number, number>): number {
  const seconds = [...ticks.keys()];
  return Math.max(...seconds) - Math.min(...seconds) + 1 - seconds.length;
}

it(
  'three producers put every tick once, also when the leader is killed (-9) again and again',
  async () => {
    write(pulse('run-once'));
    let alive = [producer(), producer(), producer()];
    for (let kills = 0; kills < 4; kills++) {
      const leader = await leaderOf(alive);
      const before = (await rabbit.depth(queueName)) ?? 0;
      await until('it has enqueued', async () => ((await rabbit.depth(queueName)) ?? 0) >= before + 2, 20_000);
      leader.signal('SIGKILL');
      await leader.exit;
      alive = [...alive.filter((each) => each !== leader), producer()];
    }
    const last = await leaderOf(alive);
    const before = (await rabbit.depth(queueName)) ?? 0;
    await until('the last has enqueued', async () => ((await rabbit.depth(queueName)) ?? 0) >= before + 2, 20_000);
    expect(last.lines.some((line) => line.includes('were missed'))).toBe(false);
    const ticks = (await putTicks(broker.amqpUrl)).get('pulse-run-once')!;
    expect(holesOf(ticks)).toBe(0);
    // At most one more per kill, with the same id: killed after the put and before it was noted.
    const repeated = [...ticks.values()].reduce((sum, times) => sum + times - 1, 0);
    expect(repeated).toBeLessThanOrEqual(4);
  },
  BROKER_TIMEOUT_MS,
);

it(
  'an outage of the broker is made up for or skipped, as each schedule says',
  async () => {
    write(pulse('run-once'), pulse('skip'));
    const all = [producer(), producer()];
    await leaderOf(all);
    await until('both are enqueued', async () => ((await rabbit.depth(queueName)) ?? 0) >= 4, 20_000);
    await rabbit.close();
    await broker.stop();
    const downMs = Date.now();
    // Not waited for an event: how long the outage is, is what is tested.
    await until('it was away long enough', () => Date.now() - downMs > 8_000, 20_000);
    await broker.start();
    rabbit = await Rabbit.connect(broker.amqpUrl);
    const before = (await rabbit.depth(queueName)) ?? 0;
    await until('it goes on', async () => ((await rabbit.depth(queueName)) ?? 0) >= before + 12, 40_000);
    const ticks = await putTicks(broker.amqpUrl);
    expect(holesOf(ticks.get('pulse-run-once')!)).toBe(0);
    expect(holesOf(ticks.get('pulse-skip')!)).toBeGreaterThanOrEqual(5);
    expect(all.flatMap(({ lines }) => lines).join('\n')).toMatch(/pulse-skip\\" were missed/);
    expect([...ticks.values()].flatMap((each) => [...each.values()]).filter((times) => times > 2)).toEqual([]);
  },
  BROKER_TIMEOUT_MS,
);

it('a wrong file stops the producer at start, with every problem', async () => {
  write({ name: 'a b', cron: 'never', body: { ms: -1 } }, { name: 'ok', cron: '@daily', zone: 'UTC', type: 'unheard' });
  const stopped = producer();
  expect(await stopped.exit).toBe(1);
  const text = stopped.lines.join('\n');
  for (const problem of [
    /SCHEDULES_FILE schedules\[0\] name must be/,
    /SCHEDULES_FILE schedules\[0\] cron must be/,
    /SCHEDULES_FILE schedules\[0\]\/body\/ms ms must not be less than 0/,
    /SCHEDULES_FILE schedules\[1\] has an unknown field "zone"/,
    /SCHEDULES_FILE schedules\[1\]\/type type must be one of/,
  ]) {
    expect(text).toMatch(problem);
  }
});

it('without a file nothing is scheduled, and no queue is declared for it', async () => {
  processes.env['SCHEDULES_FILE'] = '';
  await producer().until('Takes tasks for queue');
  await until('the producer has declared its queue', async () => (await rabbit.depth(queueName)) !== undefined);
  expect(await rabbit.depth(scheduleQueueOf(queueName))).toBeUndefined();
});
