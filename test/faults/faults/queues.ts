import { WorkerClient, retryQueueOf } from '@mercury/messaging';
import { connect } from 'amqplib';
import { App } from '../apps';
import type { Fault } from '../fault';
import { putOver, putWith } from '../load';
import { letPass, until } from '../wait';

const MOST_BACK_MS = 5_000;
const BURST = 200;
/** How long the dead queue stays full. */
const FULL_MS = 2_000;
/** A confirm that was on its way when the queue went is told a little later. */
const IN_FLIGHT_MS = 1_000;
/** What an attempt and its way may take beside the levels. */
const MOST_RETRY_LATE_MS = 5_000;

export const queueFull: Fault = {
  name: 'queue-full',
  title: 'The work queue is full and refuses',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(10_000, 500);
    const most = scene.amount(500, 50);
    const app = await App.start(scene, 'producer');
    await Promise.all([app.ready(), scene.crew({ capacity: 10 })]);
    await scene.host.limit(scene.queueName, most);
    const load = scene.load({ tasks, body: () => ({ ms: 100 }), concurrency: 300 }, putOver(app.url));
    let deepest = 0;
    for (; load.running; await letPass(200)) deepest = Math.max(deepest, await scene.host.depth(scene.queueName));
    await load.done;
    await app.terminate();
    const refused = scene.puts.refused.size;
    return {
      dose: `${tasks} tasks accepted, ${refused} refused, at most ${most} queued`,
      bound: { duplicates: 0 },
      notes: [`the queue held at most ${deepest}`],
      violations: refused === 0 ? ['nothing was refused: the queue was never full'] : [],
    };
  },
};

export const queueDeleted: Fault = {
  name: 'queue-deleted',
  title: 'The work queue is deleted under load',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(10_000, 600);
    const deletions = scene.amount(3, 1);
    await scene.crew();
    const load = scene.load({ tasks, perSecond: 300, body: () => ({ ms: 20 }) });
    const windows: { fromMs: number; untilMs: number }[] = [];
    const recoveriesMs: number[] = [];
    for (let deletion = 1; deletion <= deletions; deletion++) {
      await load.confirmed((tasks * deletion) / (deletions + 2));
      // Until here everything that was confirmed had time to be executed: only the last moments can be lost.
      const fromMs = Date.now() - IN_FLIGHT_MS;
      // More than the workers can do at once, so that something is there to be lost.
      await scene.load({ tasks: BURST, body: () => ({ ms: 200 }) }).done;
      await scene.host.deleteQueue(scene.queueName);
      const deletedAtMs = Date.now();
      windows.push({ fromMs, untilMs: deletedAtMs + IN_FLIGHT_MS });
      recoveriesMs.push(await scene.recoveredAfterMs(deletedAtMs));
    }
    await load.done;
    const inside = (atMs: number) => windows.some(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs);
    return {
      dose: `${scene.puts.confirmedAtMs.size} tasks, ${deletions} deletions`,
      bound: { duplicates: 0, mayBeLost: (id) => inside(scene.puts.confirmedAtMs.get(id) ?? 0) },
      recoveriesMs,
      notes: ['lost is what was in the queue at its deletion'],
      violations: recoveriesMs
        .filter((ms) => ms > MOST_BACK_MS)
        .map((ms) => `consuming again only after ${(ms / 1000).toFixed(1)} s`),
    };
  },
};

export const deadQueueFull: Fault = {
  name: 'dead-queue-full',
  title: 'The dead queue is full, and emptied later',
  async run(scene) {
    // A full quorum queue refuses a moment later: enough must be left for every worker to hold some.
    const tasks = scene.amount(2_000, 600);
    const most = tasks / 2 + 50;
    const { deadQueue } = scene;
    const crew = await scene.crew({ maxAttempts: 1 });
    await scene.host.limit(deadQueue, most);
    const load = scene.load({ tasks, body: () => ({ fail: true }) }, putWith(scene.client()));
    await load.done;
    const held = () =>
      scene.work.read().remarks.filter(({ word, text }) => word === 'status' && /wait to be/.test(text));
    const files = () => new Set(held().map(({ process }) => process)).size;
    await until('every worker says that it holds finished tasks', () => files() === crew.members.length);
    await letPass(FULL_MS);
    const deepest = await scene.host.depth(deadQueue);
    const unsaved = await scene.host.depth(scene.queueName);
    const emptiedAtMs = performance.now();
    scene.takenDead.push(...(await scene.host.take(scene.deadQueue)));
    await until('the rest is dead, too', async () => (await scene.host.depth(scene.queueName)) === 0, 60_000, 100);
    const settledMs = performance.now() - emptiedAtMs;
    return {
      dose: `${tasks} tasks that die, room for ${most}`,
      bound: { duplicates: 0, dead: tasks, runsEach: 1 },
      recoveriesMs: [settledMs],
      notes: [`while it was full: ${deepest} dead, ${unsaved} held or waiting; readiness: "${held()[0]?.text ?? ''}"`],
      violations: deepest + unsaved === tasks ? [] : [`${tasks - deepest - unsaved} tasks were in no queue meanwhile`],
    };
  },
};

export const neighbourFull: Fault = {
  name: 'neighbour-full',
  title: 'Another queue is full, and its retries cannot come back',
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(500, 100);
    const inFront = 100;
    const { retryDelaysMs, url } = scene;
    const neighbour = new WorkerClient({ rabbitUrl: scene.urls, queueName: 'full', retryDelaysMs });
    scene.defer(() => neighbour.stop());
    await scene.crew();
    const stuck = retryDelaysMs.map((levelMs) => retryQueueOf('full', levelMs));
    const connection = await connect(url);
    scene.defer(() => connection.close());
    await neighbour.put({ type: 'work' });
    await scene.host.limit('full', 1);
    const channel = await connection.createConfirmChannel();
    for (const level of stuck) {
      for (let sent = 0; sent < inFront; sent++) channel.sendToQueue(level, Buffer.from('{"type":"work"}'));
    }
    await channel.waitForConfirms();
    const held = async () => (await Promise.all(stuck.map((level) => scene.host.depth(level)))).reduce((a, b) => a + b);
    await letPass(Math.max(...retryDelaysMs) * 2);
    await scene.load({ tasks, body: () => ({ fail: true }) }).done;
    const doneAtMs = performance.now();
    await until('all are dead', async () => (await scene.host.depth(scene.deadQueue)) === tasks, 60_000, 100);
    const tookMs = performance.now() - doneAtMs;
    const heldCount = await held();
    const longestMs = retryDelaysMs.reduce((sum, levelMs) => sum + levelMs, MOST_RETRY_LATE_MS);
    return {
      dose: `${tasks} tasks of ${scene.maxAttempts} attempts, beside ${inFront * stuck.length} retries of a full queue`,
      bound: { duplicates: 0, dead: tasks, runsEach: scene.maxAttempts },
      notes: [`all dead ${(tookMs / 1000).toFixed(1)} s after the last put; the full queue's levels held ${heldCount}`],
      violations: [
        ...(tookMs > longestMs ? [`retries took ${Math.round(tookMs)} ms`] : []),
        ...(heldCount < inFront ? [`the full queue's levels held only ${heldCount}: it was not full`] : []),
      ],
    };
  },
};
