import { App } from '../apps';
import type { Fault, Outcome } from '../fault';
import { putOver } from '../load';
import type { Scene } from '../scene';
import { letPass, until } from '../wait';

/** Beyond what the machine itself takes now for a request that needs no broker. */
const MOST_ANSWER_MS = 1_000;
const MOST_RESUME_MS = 5_000;
const MOST_GROWTH_BYTES = 150 * 1_048_576;

interface Alarm {
  raise: readonly string[];
  clear: readonly string[];
}

const MEMORY: Alarm = {
  raise: ['set_vm_memory_high_watermark', 'absolute', '1MB'],
  clear: ['set_vm_memory_high_watermark', 'absolute', '512MB'],
};

const DISK: Alarm = {
  raise: ['set_disk_free_limit', '1000000GB'],
  clear: ['set_disk_free_limit', '50MB'],
};

export const memoryAlarm: Fault = {
  name: 'memory-alarm',
  title: 'The broker has a memory alarm',
  run: (scene) => underAlarm(scene, MEMORY),
};

export const diskAlarm: Fault = {
  name: 'disk-alarm',
  title: 'The broker has a disk alarm',
  // The applications see no difference to a memory alarm.
  inShort: false,
  run: (scene) => underAlarm(scene, DISK),
};

interface Answer {
  beganAtMs: number;
  status: number;
  tookMs: number;
}

async function underAlarm(scene: Scene, alarm: Alarm): Promise<Outcome> {
  const rounds = scene.amount(3, 1);
  const lengthMs = scene.amount(20_000, 2_000);
  const perSecond = scene.amount(500, 200);
  const app = await App.start(scene, 'producer');
  await Promise.all([app.ready(), scene.crew()]);
  const answers: Answer[] = [];
  const hear = (status: number, tookMs: number) =>
    answers.push({ beganAtMs: performance.now() - tookMs, status, tookMs });
  const load = scene.load({ tasks: Infinity, perSecond }, putOver(app.url, hear));
  scene.defer(() => scene.broker.control(...alarm.clear));
  await load.confirmed(perSecond);
  const calmBytes = app.memoryBytes();
  let mostBytes = 0;
  let refused = 0;
  const slowestsMs: number[] = [];
  const violations: string[] = [];
  const recoveriesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const commandedAtMs = performance.now();
    await scene.broker.control(...alarm.raise);
    await until('posts are refused', () =>
      answers.slice(-20).some(({ beganAtMs, status }) => beganAtMs > commandedAtMs && status === 503),
    );
    const raisedAtMs = performance.now();
    const control = timeHealth(app);
    for (const endMs = raisedAtMs + lengthMs; performance.now() < endMs; await letPass(500)) {
      mostBytes = Math.max(mostBytes, app.memoryBytes());
    }
    const slowestControlMs = await control.stop();
    const during = answers.filter(({ beganAtMs, tookMs }) => beganAtMs > raisedAtMs + 500 && tookMs > 0);
    const wrong = during.filter(({ status }) => status !== 503).length;
    const slowestMs = Math.max(0, ...during.map(({ tookMs }) => tookMs));
    refused += during.length;
    if (wrong > 0) violations.push(`${wrong} of ${during.length} posts were not answered 503 during the alarm`);
    slowestsMs.push(slowestMs);
    if (slowestMs > MOST_ANSWER_MS + slowestControlMs) {
      const times = `${Math.round(slowestMs)} ms, where its health took ${Math.round(slowestControlMs)} ms`;
      violations.push(`a post was refused only after ${times}`);
    }
    await scene.broker.control(...alarm.clear);
    recoveriesMs.push(await scene.recoveredAfterMs(Date.now()));
    await letPass(1_000);
  }
  await load.stop();
  await app.terminate();
  const grownMb = Math.round((mostBytes - calmBytes) / 1_048_576);
  if (mostBytes - calmBytes > MOST_GROWTH_BYTES) violations.push(`the producer grew by ${grownMb} MB`);
  const slow = recoveriesMs.filter((ms) => ms > MOST_RESUME_MS);
  violations.push(...slow.map((ms) => `posts accepted again only ${(ms / 1000).toFixed(1)} s after the alarm`));
  return {
    dose: `${rounds} alarms of ${lengthMs / 1000} s, ${perSecond} posts/s`,
    bound: { duplicates: 0 },
    recoveriesMs,
    notes: [
      `${refused} posts refused within ${Math.round(Math.max(...slowestsMs))} ms, the producer grew by ${grownMb} MB`,
    ],
    violations,
  };
}

/** Asks for the health of the process all the time. `stop` resolves to how long the slowest answer took. */
function timeHealth(app: App): { stop(): Promise<number> } {
  let slowestMs = 0;
  let stopped = false;
  const asking = (async () => {
    while (!stopped) {
      const startedAtMs = performance.now();
      await app.health('live');
      slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
      await letPass(10);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await asking;
      return slowestMs;
    },
  };
}
