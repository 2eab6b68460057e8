import { App } from '../apps';
import type { Fault } from '../fault';
import { putOver } from '../load';
import { until } from '../wait';

export const killProducer: Fault = {
  name: 'kill-producer',
  title: 'The producer application killed (-9) while it is posted to',
  inShort: false,
  async run(scene) {
    const posts = scene.amount(20_000, 1_000);
    const kills = scene.amount(10, 2);
    const app = await App.start(scene, 'producer');
    await Promise.all([app.ready(), scene.crew()]);
    const load = scene.load({ tasks: posts, perSecond: 800, concurrency: 100 }, putOver(app.url));
    const recoveriesMs: number[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      await load.confirmed((posts * kill) / (kills + 1));
      await app.kill();
      const confirmed = scene.puts.confirmedAtMs.size;
      recoveriesMs.push(await until('a post is accepted again', () => scene.puts.confirmedAtMs.size > confirmed));
    }
    await load.done;
    await app.terminate();
    return {
      dose: `${posts} tasks posted, ${kills} kills`,
      bound: { duplicates: 0 },
      recoveriesMs,
      notes: [`${scene.puts.unknown.size} posts without an answer`],
    };
  },
};
