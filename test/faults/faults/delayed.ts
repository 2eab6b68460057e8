import { readFileSync } from 'node:fs';
import { dueQueueOf } from '@mercury/messaging';
import type { Crew } from '../crew';
import type { Fault } from '../fault';
import { putWith, type Put } from '../load';
import { letPass } from '../wait';

const MOST_LATE_MS = 1_000;
const MOST_GROWTH_BYTES = 60 * 1_048_576;
const LOOK_EVERY_MS = 1_000;

export const delayedTasks: Fault = {
  name: 'delayed-tasks',
  title: 'A hundred thousand tasks that wait for their time',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(100_000, 400);
    const perSecond = scene.amount(250, 100);
    const delayMs = scene.amount(180_000, 3_000);
    const crew = await scene.crew({}, undefined, 2);
    const client = scene.client();
    // Connects, and shows that it works before anything is measured.
    await scene.load({ tasks: 200, perSecond: 200 }, putWith(client)).done;
    await letPass(LOOK_EVERY_MS);
    const before = memoryOf(crew);

    const runAtMs = new Map<string, number>();
    const put: Put = (body, id) => {
      const runAt = Date.now() + delayOf(runAtMs.size, delayMs);
      runAtMs.set(id, runAt);
      return putWith({ put: (task, options) => client.put(task, { ...options, runAt }) })(body, id);
    };
    const load = scene.load({ tasks, perSecond }, put);
    let most = before;
    let mostWaiting = 0;
    const finished = () => scene.work.read().finishedAtMs.size;
    // Twice what it should take: what has not come by then is late, or lost.
    const untilMs = performance.now() + 2 * ((tasks / perSecond) * 1_000 + (4 / 3) * delayMs);
    while (finished() < tasks + 200 && performance.now() < untilMs) {
      most = most.map((bytes, index) => Math.max(bytes, memoryOf(crew)[index] ?? 0));
      mostWaiting = Math.max(mostWaiting, await scene.waiting().catch(() => 0));
      await letPass(LOOK_EVERY_MS);
    }
    await load.done;
    const dueDepth = await scene.host.depth(dueQueueOf(scene.queueName));

    const { finishedAtMs } = scene.work.read();
    const late = [...runAtMs].map(([id, atMs]) => (finishedAtMs.get(id) ?? Infinity) - atMs).sort((a, b) => a - b);
    const at = (part: number) => late[Math.min(late.length - 1, Math.floor(late.length * part))] ?? 0;
    const early = late.filter((ms) => ms < 0).length;
    const grown = most.map((bytes, index) => bytes - (before[index] ?? 0));
    const megabytes = (list: readonly number[]) => list.map((bytes) => (bytes / 1_048_576).toFixed(0)).join(' and ');
    return {
      dose: `${tasks} tasks delayed by ${delayMs / 1000} s, some more or less, ${perSecond} per second`,
      bound: { duplicates: 0 },
      notes: [
        `up to ${mostWaiting} waited at once`,
        `late: min ${at(0)}, half ${at(0.5)}, 99 % ${at(0.99)}, max ${at(1)} ms`,
        `the workers had ${megabytes(before)} MB and grew by ${megabytes(grown)} MB`,
      ],
      violations: [
        ...(early > 0 ? [`${early} tasks ran early, one by ${-at(0)} ms`] : []),
        ...(at(1) > MOST_LATE_MS ? [`a task ran ${at(1)} ms late`] : []),
        ...(Math.max(...grown) > MOST_GROWTH_BYTES ? [`a worker grew by ${megabytes([Math.max(...grown)])} MB`] : []),
        ...(dueDepth > 0 ? [`${dueDepth} tasks were left among those that are due`] : []),
      ],
    };
  },
};

/** Nine of ten have the same round delay, as people choose them; the others any from two thirds of it to four thirds. */
function delayOf(number: number, delayMs: number): number {
  return number % 10 === 0 ? Math.round(delayMs * (2 / 3 + (Math.random() * 2) / 3)) : delayMs;
}

function memoryOf(crew: Crew): number[] {
  return crew.members.map(({ pid }) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024;
  });
}
