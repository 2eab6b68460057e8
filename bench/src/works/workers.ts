import { setTimeout as pause } from 'node:timers/promises';
import { PEERS, type PeerName } from '../peers';
import { measuredDuring } from '../profiling';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { FillParams } from '../roles/fill';
import type { Share, ShareParams } from '../roles/share';
import { CPU, RATE, type Metrics, type Work } from './work';

const CAPACITY = 100;
const COUNT = 150_000;
const LOOK_EVERY_MS = 200;

export const workers: Work = {
  name: 'workers',
  title: 'Workers: processes that share a queue, no-op, capacity 100 each, from their first task on',
  baseline: 'amqplib',
  columns: [RATE, CPU],
  isInShort: false,
  mostRounds: 3,
  casesOf: () =>
    [1, 2, 4].flatMap((workerCount) =>
      (['mercury', 'amqplib'] as const).map((peer) => ({
        variant: workerCount === 1 ? '1 worker' : `${workerCount} workers`,
        row: peer,
        title: PEERS[peer].title,
        note: '',
        measure: (rig) => measure(rig, peer, workerCount),
      })),
    ),
};

async function measure(rig: Rig, peer: PeerName, workerCount: number): Promise<Metrics> {
  await rig.empty();
  const target = await rig.target(false);
  await Role.run('fill', { ...target, form: 'task', bytes: 256, count: COUNT } satisfies FillParams);
  const params: ShareParams = { ...target, peer, capacity: CAPACITY };
  const roles = Array.from({ length: workerCount }, () => new Role('share', params));
  await Promise.all(roles.map((role) => role.untilReady()));
  for (const role of roles) role.say('go');
  while ((await rig.waitingCount()) > 0) await pause(LOOK_EVERY_MS);
  // What was delivered last is no-op, too: it has ended long before the next look.
  await pause(LOOK_EVERY_MS);
  for (const role of roles) role.say('stop');
  const shares = await Promise.all(roles.map((role) => role.untilDone<Share>()));
  const sum = (valueOf: (share: Share) => number) => shares.reduce((total, share) => total + valueOf(share), 0);
  if (sum(({ count }) => count) !== COUNT || !(await rig.isEmptied())) {
    throw new Error(`${PEERS[peer].title} handled ${sum(({ count }) => count)} of ${COUNT} tasks.`);
  }
  const firstAtMs = Math.min(...shares.map((share) => share.firstAtMs));
  const lastAtMs = Math.max(...shares.map((share) => share.lastAtMs));
  measuredDuring({ fromMs: firstAtMs, toMs: lastAtMs });
  return { ratePerS: (COUNT * 1_000) / (lastAtMs - firstAtMs), cpuUsPerTask: sum(({ cpuUs }) => cpuUs) / COUNT };
}
