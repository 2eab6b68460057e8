import { App } from '../apps';
import type { Fault } from '../fault';
import { putOver } from '../load';
import type { Scene } from '../scene';
import { letPass, until } from '../wait';

const MOST_GAP_MS = 15_000;
const MINORITY_MS = 20_000;
/** A confirm that was under way when the majority went may still be told. */
const IN_FLIGHT_MS = 1_000;
const REJOIN_TIMEOUT_MS = 60_000;

export const nodesKilled: Fault = {
  name: 'nodes-killed',
  title: 'Three nodes: the leader killed (-9) every 15 s, then two of three down for 20 s',
  nodes: 3,
  inShort: false,
  async run(scene) {
    const tasks = scene.amount(30_000, 1_500);
    const kills = scene.amount(10, 1);
    const everyMs = scene.amount(15_000, 3_000);
    const app = await App.start(scene, 'producer');
    await Promise.all([app.ready(), scene.crew()]);
    const answers: { atMs: number; status: number }[] = [];
    const hear = (status: number) => answers.push({ atMs: Date.now(), status });
    const load = scene.load({ tasks: Infinity, perSecond: 200, body: () => ({ ms: 20 }) }, putOver(app.url, hear));
    await load.confirmed(200);
    const startedAtMs = Date.now();
    for (let kill = 0; kill < kills; kill++) {
      const killedAtMs = performance.now();
      const [leader] = await allMembersOf(scene);
      await scene.broker.kill(leader);
      await scene.broker.start(leader);
      await allMembersOf(scene);
      await letPass(Math.max(0, everyMs - (performance.now() - killedAtMs)));
    }
    const gapMs = longestGapMs(scene, startedAtMs, Date.now());

    const lost = (await allMembersOf(scene)).slice(0, 2);
    await Promise.all(lost.map((name) => scene.broker.kill(name)));
    const fromMs = Date.now() + IN_FLIGHT_MS;
    await letPass(MINORITY_MS);
    const untilMs = Date.now();
    const ready = await app.health('ready');
    await Promise.all(lost.map((name) => scene.broker.start(name)));
    const recoveredMs = await scene.recoveredAfterMs(Date.now());
    await load.confirmed(tasks);
    await load.stop();
    await app.terminate();
    const during = answers.filter(({ atMs }) => atMs > fromMs && atMs < untilMs);
    const wrong = during.filter(({ status }) => status !== 503).length;
    return {
      dose: `${scene.puts.confirmedAtMs.size} tasks posted, ${kills} kills of the leader, ${MINORITY_MS / 1000} s without a majority`,
      bound: { duplicates: (kills + 1) * scene.capacity * scene.amount(4, 2) },
      recoveriesMs: [recoveredMs],
      notes: [
        `no post accepted for at most ${(gapMs / 1000).toFixed(1)} s`,
        `${during.length} posts refused without a majority`,
      ],
      violations: [
        ...(gapMs > MOST_GAP_MS ? [`no post was accepted for ${(gapMs / 1000).toFixed(1)} s`] : []),
        ...(during.length === 0 ? ['nothing was answered without a majority'] : []),
        ...(wrong > 0 ? [`${wrong} of ${during.length} posts without a majority were not answered 503`] : []),
        ...(ready === 503 ? [] : [`without a majority the producer answered ${ready} when asked if ready`]),
      ],
    };
  },
};

/** Leader first. Waits until all three are there: a second one killed before would be the end of the majority. */
async function allMembersOf(scene: Scene): Promise<readonly string[]> {
  let members: readonly string[] | undefined;
  const areThere = async () => {
    members = await scene.host.membersOf(scene.queueName).catch(() => undefined);
    return members?.length === scene.broker.names.length;
  };
  await until('all members of the queue are up', areThere, REJOIN_TIMEOUT_MS, 200);
  return members ?? [];
}

function longestGapMs(scene: Scene, fromMs: number, untilMs: number): number {
  const confirms = [...scene.puts.confirmedAtMs.values()].filter((atMs) => atMs >= fromMs && atMs <= untilMs);
  const times = [fromMs, ...confirms, untilMs];
  return Math.max(...times.slice(1).map((atMs, index) => atMs - (times[index] ?? atMs)));
}
