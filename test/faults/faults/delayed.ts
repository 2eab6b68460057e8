import { readFileSync } from 'node:fs';
import { DELAY_LEVELS_MS, delayQueueOf, dueQueueOf } from '@mercury/messaging';
import type { Crew } from '../crew';
import type { Fault } from '../fault';
import { Load, putWith, type Put } from '../load';
import { PutLedger } from '../ledger';
import { letPass, until } from '../wait';

const HOUR_MS = 3_600_000;
const MOST_LATE_MS = 1_000;
const MOST_GROWTH_BYTES = 60 * 1_048_576;
const LOOK_EVERY_MS = 1_000;
const COUNT_TIMEOUT_MS = 20_000;

export const delayedTasks: Fault = {
  name: 'delayed-tasks',
  title: 'A hundred thousand tasks that wait for hours or days, beside others that wait for seconds',
  inShort: false,
  async run(scene) {
    const far = scene.amount(100_000, 1_000);
    const near = scene.amount(15_000, 400);
    const perSecond = scene.amount(150, 100);
    const longestMs = scene.amount(30_000, 4_000);
    // RabbitMQ 3.10 needs more than the usual 512 MB for so many, and an alarm of a second or two is not what is measured here.
    await scene.broker.control('set_vm_memory_high_watermark', 'absolute', '2GB');
    scene.defer(() => scene.broker.control('set_vm_memory_high_watermark', 'absolute', '512MB'));
    const crew = await scene.crew({}, undefined, 2);
    const client = scene.client();
    // Connects, and shows that it works before anything is measured.
    await scene.load({ tasks: 200, perSecond: 200 }, putWith(client)).done;
    const before = memoryOf(crew);

    // In no account: nobody waits for their end.
    const farPut: Put = (body, id) =>
      putWith({ put: (task) => client.put(task, { id, type: 'work', delayMs: days() }) })(body, id);
    await new Load('far', new PutLedger(), farPut, { tasks: far, concurrency: 500 }).done;

    const runAtMs = new Map<string, number>();
    const nearPut: Put = (body, id) => {
      const runAt = Date.now() + Math.round(1_000 + Math.random() * (longestMs - 1_000));
      runAtMs.set(id, runAt);
      return putWith({ put: (task, options) => client.put(task, { ...options, runAt }) })(body, id);
    };
    const load = scene.load({ tasks: near, perSecond }, nearPut);
    let most = before;
    const finished = () => scene.work.read().finishedAtMs.size;
    // What has not come a minute after the last one was due is lost, or as good as that.
    const untilMs = performance.now() + (near / perSecond) * 1_000 + longestMs + 60_000;
    while (finished() < near + 200 && performance.now() < untilMs) {
      const now = memoryOf(crew);
      most = most.map((bytes, index) => Math.max(bytes, now[index] ?? 0));
      await letPass(LOOK_EVERY_MS);
    }
    await load.done;
    // A broker counts quorum queues every few seconds: what has just been acknowledged may still be counted. Copies would stay.
    const isCounted = async () => (await scene.waiting()) === far;
    await until('the broker has counted', isCounted, COUNT_TIMEOUT_MS, 500).catch(() => undefined);
    const dueDepth = await scene.host.depth(dueQueueOf(scene.queueName));
    const waiting = await scene.waiting();
    for (const levelMs of DELAY_LEVELS_MS) await scene.host.deleteQueue(delayQueueOf(scene.queueName, levelMs));

    const { finishedAtMs } = scene.work.read();
    // Those that were refused were put again under other ids.
    const confirmed = [...runAtMs].filter(([id]) => scene.puts.confirmedAtMs.has(id));
    const late = confirmed.map(([id, atMs]) => (finishedAtMs.get(id) ?? Infinity) - atMs).sort((a, b) => a - b);
    const at = (part: number) => late[Math.min(late.length - 1, Math.floor(late.length * part))] ?? 0;
    const early = late.filter((ms) => ms < 0).length;
    const grown = most.map((bytes, index) => bytes - (before[index] ?? 0));
    const megabytes = (list: readonly number[]) => list.map((bytes) => (bytes / 1_048_576).toFixed(0)).join(' and ');
    return {
      dose: `${far} tasks delayed by hours or days, ${near} by 1 to ${longestMs / 1000} s, ${perSecond} per second`,
      bound: { duplicates: 0 },
      notes: [
        `late: min ${at(0)}, half ${at(0.5)}, 99 % ${at(0.99)}, max ${at(1)} ms`,
        `the workers had ${megabytes(before)} MB and grew by ${megabytes(grown)} MB`,
      ],
      violations: [
        ...(early > 0 ? [`${early} tasks ran early, one by ${-at(0)} ms`] : []),
        ...(at(1) > MOST_LATE_MS ? [`a task ran ${at(1)} ms late`] : []),
        ...(Math.max(...grown) > MOST_GROWTH_BYTES ? [`a worker grew by ${megabytes([Math.max(...grown)])} MB`] : []),
        ...(dueDepth > 0 ? [`${dueDepth} tasks were left among those that are due`] : []),
        ...(waiting === far ? [] : [`${waiting} of ${far} tasks wait for their hours or days`]),
      ],
    };
  },
};

/** From one hour to thirty days. */
function days(): number {
  return Math.round(HOUR_MS + Math.random() * (30 * 24 - 1) * HOUR_MS);
}

function memoryOf(crew: Crew): number[] {
  return crew.members.map(({ pid }) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024;
  });
}
