import type { Fault } from '../fault';

export const baseline: Fault = {
  name: 'baseline',
  title: 'No fault',
  async run(scene) {
    const tasks = scene.amount(100_000, 2_000);
    const crew = await scene.crew();
    const startedAtMs = performance.now();
    await scene.load({ tasks, concurrency: 1_000 }).done;
    await scene.settled();
    const perSecond = Math.round((tasks * 1000) / (performance.now() - startedAtMs));
    return {
      dose: `${tasks} tasks, ${crew.members.length} workers × capacity ${scene.capacity}`,
      bound: { duplicates: 0 },
      notes: [`${perSecond} tasks/s`],
    };
  },
};
