import type { Fault } from '../fault';
import { GRACE_MS } from '../crew';
import { letPass } from '../wait';

export const killWorker: Fault = {
  name: 'kill-worker',
  title: 'A random worker killed (-9) every 2 s',
  async run(scene) {
    const tasks = scene.amount(50_000, 1_500);
    const ms = scene.amount(50, 80);
    const crew = await scene.crew();
    const load = scene.load({ tasks, body: () => ({ ms }) });
    let kills = 0;
    const everyMs = scene.amount(2_000, 1_000);
    for (; scene.work.read().finishedAtMs.size < tasks * 0.95 && kills < 200; kills++) {
      await letPass(everyMs);
      await crew.killRandom();
    }
    await load.done;
    return {
      dose: `${tasks} tasks of ${ms} ms, ${kills} kills`,
      bound: { duplicates: kills * scene.capacity },
    };
  },
};

export const rollingRestart: Fault = {
  name: 'rolling-restart',
  title: 'Workers replaced one after another (SIGTERM) every 3 s',
  async run(scene) {
    const tasks = scene.amount(10_000, 500);
    const crew = await scene.crew();
    const load = scene.load({ tasks, body: (number) => ({ ms: 50 + ((number * 37) % 450) }) });
    let restarts = 0;
    const everyMs = scene.amount(3_000, 1_000);
    for (; scene.work.read().finishedAtMs.size < tasks * 0.95 && restarts < 200; restarts++) {
      await letPass(everyMs);
      await crew.renewOldest();
    }
    await load.done;
    await scene.settled();
    await crew.stop();
    const longestS = (crew.longestStopMs / 1000).toFixed(1);
    return {
      dose: `${tasks} tasks of 50-500 ms, ${restarts} restarts`,
      bound: { duplicates: 0 },
      notes: [`longest exit ${longestS} s of ${GRACE_MS / 1000} s`],
    };
  },
};
