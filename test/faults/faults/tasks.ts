import { readFileSync } from 'node:fs';
import { connect } from 'amqplib';
import type { Crew } from '../crew';
import type { Fault } from '../fault';
import type { Put } from '../load';
import { letPass } from '../wait';

const KILLERS_TIMEOUT_MS = 150_000;
const IDLE_MS = 2_000;
/** Of one processor. */
const MOST_IDLE_USE = 0.1;
const TICKS_PER_SECOND = 100;

export const killerTask: Fault = {
  name: 'killer-task',
  title: 'A task that kills its process, 1 in 500',
  async run(scene) {
    const tasks = scene.amount(10_000, 500);
    const oneIn = 500;
    const isKiller = (number: number) => number % oneIn === oneIn / 2;
    const crew = await scene.crew();
    for (const child of crew.all) child.mayBeKilled = true;
    await scene.load({ tasks, body: (number) => ({ ms: 10, kill: isKiller(number) }) }).done;
    const killers = tasks / oneIn;
    let deaths = 0;
    const startedAtMs = performance.now();
    // Twice, because the broker counts every half second only.
    for (let empty = 0; empty < 2 && performance.now() - startedAtMs < KILLERS_TIMEOUT_MS;) {
      deaths += await crew.replaceDead();
      for (const child of crew.all) child.mayBeKilled = true;
      await letPass(500);
      empty = (await scene.waiting()) === 0 ? empty + 1 : 0;
    }
    return {
      dose: `${tasks} tasks, ${killers} killers, ${deaths} deaths`,
      bound: {
        duplicates: deaths * scene.capacity,
        dead: killers,
        mayBeDead: (id) => isKiller(Number(id.split('-')[1])),
      },
      notes: [`over after ${Math.round((performance.now() - startedAtMs) / 1000)} s`],
    };
  },
};

export const alwaysFailing: Fault = {
  name: 'always-failing',
  title: 'Tasks that always fail',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(1_000, 200);
    const crew = await scene.crew();
    await scene.load({ tasks, body: () => ({ fail: true }) }).done;
    await scene.settled();
    const { note, violations } = await idleUse(crew);
    return {
      dose: `${tasks} tasks, ${scene.maxAttempts} attempts`,
      bound: { duplicates: 0, dead: tasks, runsEach: scene.maxAttempts },
      notes: [note],
      violations,
    };
  },
};

export const garbage: Fault = {
  name: 'garbage',
  title: 'Bodies that are no tasks',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(1_000, 200);
    const crew = await scene.crew();
    const connection = await connect(scene.url);
    scene.defer(() => connection.close());
    const channel = await connection.createConfirmChannel();
    const put: Put = (_body, messageId) =>
      new Promise((resolve) => {
        const content = BODIES[Number(messageId.split('-')[1]) % BODIES.length] ?? Buffer.alloc(0);
        const headers = { 'x-attempt': 'many', 'x-enqueued-at-ms': -1 };
        channel.sendToQueue(scene.queueName, content, { messageId, headers }, (error: unknown) =>
          resolve(error ? 'refused' : 'confirmed'),
        );
      });
    await scene.load({ tasks }, put).done;
    await scene.settled();
    const { note, violations } = await idleUse(crew);
    return { dose: `${tasks} bodies`, bound: { duplicates: 0, dead: tasks, runsEach: 0 }, notes: [note], violations };
  },
};

const BODIES: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from('{'),
  Buffer.from('null'),
  Buffer.from('[]'),
  Buffer.from('"text"'),
  Buffer.from('{"no":"type"}'),
  Buffer.from('{"type":""}'),
  Buffer.from('{"type":7}'),
  Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
  Buffer.from(`{"type":"${'t'.repeat(300)}"}`),
  Buffer.alloc(100_000, 'x'),
];

/** What has ended must not go on burning the processor. */
async function idleUse(crew: Crew): Promise<{ note: string; violations: string[] }> {
  const before = crew.members.map(({ pid }) => ticksOf(pid));
  await letPass(IDLE_MS);
  const uses = crew.members.map(({ pid }, index) => (ticksOf(pid) - (before[index] ?? 0)) / TICKS_PER_SECOND);
  const most = Math.max(...uses) / (IDLE_MS / 1000);
  const percent = `${(most * 100).toFixed(0)} %`;
  const violations = most > MOST_IDLE_USE ? [`a worker used ${percent} of a processor with nothing to do`] : [];
  return { note: `idle afterwards: ${percent} of a processor`, violations };
}

/** User and system time of a process: fields 14 and 15, counted behind its name, which may contain spaces. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}
