import { App, type AppName } from '../apps';
import type { Fault } from '../fault';
import type { Scene } from '../scene';
import { letPass, until } from '../wait';

/** Longer than it takes the broker to give up a silent peer, which is two to three heartbeats of 15 s. */
const STANDSTILL_MS = 50_000;
const MOST_EXIT_MS = 2_000;
const APPS: readonly AppName[] = ['producer', 'consumer', 'logger'];

export const blockedLoop: Fault = {
  name: 'blocked-loop',
  title: "The workers' event loops stand still for longer than the heartbeat",
  inShort: false,
  async run(scene) {
    const rounds = scene.amount(5, 1);
    const crew = await scene.crew({ standstillMs: STANDSTILL_MS });
    const load = scene.load({ tasks: Infinity, perSecond: 50, body: () => ({ ms: 300 }) });
    const readyCount = () => scene.work.read().remarks.filter(({ word }) => word === 'ready').length;
    const recoveriesMs: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      await load.confirmed(scene.puts.confirmedAtMs.size + 200);
      const readyBefore = readyCount();
      for (const child of crew.members) child.signal('SIGUSR2');
      await letPass(STANDSTILL_MS);
      const allBack = () => readyCount() >= readyBefore + crew.members.length;
      recoveriesMs.push(await until('all workers consume again', allBack, 60_000));
    }
    await load.stop();
    const blocks = rounds * crew.members.length;
    return {
      dose: `${blocks} blocks of ${STANDSTILL_MS / 1000} s: ${crew.members.length} workers at once, ${rounds} times`,
      bound: { duplicates: blocks * scene.capacity },
      recoveriesMs,
    };
  },
};

export const brokerAway: Fault = {
  name: 'broker-away',
  title: 'The applications start while the broker is away, and some are stopped (SIGTERM) meanwhile',
  inShort: false,
  async run(scene) {
    const rounds = scene.amount(10, 1);
    const awayMs = scene.amount(30_000, 3_000);
    const { broker } = scene;
    const exitsMs: number[] = [];
    const violations: string[] = [];
    await broker.stop();
    const wentAtMs = performance.now();
    const stayers = await startAll(scene);
    for (let round = 0; round < rounds; round++) {
      const apps = await startAll(scene);
      for (const [index, app] of apps.entries()) {
        await until(`the ${APPS[index]} listens`, async () => (await app.health('live')) === 200);
        const ready = await app.health('ready');
        if (ready !== 503) violations.push(`without a broker the ${APPS[index]} answered ${ready} when asked if ready`);
      }
      await letPass(Math.random() * 1_500);
      exitsMs.push(...(await Promise.all(apps.map((app) => app.terminate()))));
    }
    await letPass(Math.max(0, awayMs - (performance.now() - wentAtMs)));
    await broker.start();
    const recoveriesMs = await Promise.all(stayers.map((app) => app.ready()));
    for (const app of stayers) await app.terminate();
    const slowestMs = Math.max(...exitsMs);
    if (slowestMs > MOST_EXIT_MS) violations.push(`an application took ${(slowestMs / 1000).toFixed(1)} s to end`);
    return {
      dose: `${rounds} starts of three applications`,
      bound: { duplicates: 0 },
      recoveriesMs,
      notes: [`${exitsMs.length} exits, the longest took ${Math.round(slowestMs)} ms`],
      violations,
    };
  },
};

function startAll(scene: Scene): Promise<App[]> {
  return Promise.all(APPS.map((name) => App.start(scene, name)));
}
