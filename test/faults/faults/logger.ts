import { Logger } from '@mercury/messaging';
import type { Fault } from '../fault';
import { letPass, until } from '../wait';

const EVENTS_PER_SECOND = 2_000;
/** x-max-length counts what is ready; the logger itself holds its prefetch of 100 beside that. */
const MOST_QUEUED_EVENTS = 100_000 + 100;
const BUS = 'logs';

export const stuckLogger: Fault = {
  name: 'stuck-logger',
  title: 'A logger is stuck while events and tasks go on',
  inShort: false,
  async run(scene) {
    // Long enough in the full run that more is sent than a logger's queue may hold.
    const stuckMs = scene.amount(60_000, 2_000);
    const crew = await scene.crew();
    const loggers = await scene.crew({ stuckMs, name: BUS }, 'logger-process.js', 1);
    const bus = new Logger({ rabbitUrl: scene.url, name: BUS });
    scene.defer(() => bus.stop());
    const load = scene.load({ tasks: (stuckMs / 1000) * 300, perSecond: 300, body: () => ({ ms: 5 }) });
    let sent = 0;
    let failed = 0;
    let deepest = 0;
    const startedAtMs = performance.now();
    for (let round = 0; performance.now() - startedAtMs < stuckMs; round++) {
      const due = ((performance.now() - startedAtMs) / 1000) * EVENTS_PER_SECOND;
      for (; sent < due; sent++) bus.info({ number: sent }).catch(() => (failed += 1));
      await letPass(20);
      if (round % 50 === 0) deepest = Math.max(deepest, await scene.host.deepestUnnamed());
    }
    await load.done;
    const behindMs = await until('all tasks are executed', () => {
      const { finishedAtMs } = scene.work.read();
      return [...scene.puts.confirmedAtMs.keys()].every((id) => finishedAtMs.has(id));
    });
    deepest = Math.max(deepest, await scene.host.deepestUnnamed());
    await until('the logger has caught up', async () => (await scene.host.deepestUnnamed()) === 0, 60_000, 500);
    await Promise.all([crew.stop(), loggers.stop()]);
    const remarks = scene.work.read().remarks.filter(({ process }) => process.startsWith('other'));
    const heard = remarks.filter(({ word }) => word === 'status');
    const missed = heard.some(({ text }) => !text.endsWith(' 0 missed'));
    const problems = remarks.filter(({ word }) => word === 'problem');
    return {
      dose: `${stuckMs / 1000} s, ${sent} events and ${scene.puts.confirmedAtMs.size} tasks`,
      bound: { duplicates: 0 },
      recoveriesMs: [behindMs],
      notes: [
        `${failed} events failed, its queue held at most ${deepest}`,
        `the logger: ${heard.map(({ text }) => text).join(', ')}, reported: ${problems[0]?.text ?? 'nothing'}`,
      ],
      violations: [
        ...(deepest > MOST_QUEUED_EVENTS ? [`the logger's queue held ${deepest} events`] : []),
        ...(missed && problems.length === 0 ? ['the logger missed events and did not say so'] : []),
      ],
    };
  },
};
