import { Events } from '../events';
import type { Fault } from '../fault';
import { letPass } from '../wait';

const MOST_RECOVERY_MS = 10_000;

export const restartBroker: Fault = {
  name: 'restart-broker',
  title: 'The broker stopped and started, and killed (-9) and started',
  async run(scene) {
    const { broker } = scene;
    const each = scene.amount(5, 1);
    const tasks = scene.amount(50_000, 3_000);
    const crew = await scene.crew();
    const events = await Events.start(scene);
    const load = scene.load({ tasks: Infinity, perSecond: scene.amount(500, 300), body: () => ({ ms: 20 }) });
    const recoveriesMs: number[] = [];
    for (let round = 0; round < 2 * each; round++) {
      await letPass(2_000);
      await (round % 2 === 0 ? broker.stop() : broker.kill());
      await broker.start();
      recoveriesMs.push(await scene.recoveredAfterMs(Date.now()));
    }
    await load.confirmed(tasks);
    await load.stop();
    const { note, violations } = await events.account();
    return {
      dose: `${scene.puts.confirmedAtMs.size} tasks, ${each} stops and ${each} kills`,
      bound: { duplicates: 2 * each * crew.members.length * scene.capacity },
      recoveriesMs,
      notes: [`${scene.puts.unknown.size} puts with an unknown outcome`, `a durable subscription: ${note}`],
      violations: recoveriesMs
        .filter((ms) => ms > MOST_RECOVERY_MS)
        .map((ms) => `working again only ${(ms / 1000).toFixed(1)} s after the broker was back`)
        .concat(violations),
    };
  },
};
