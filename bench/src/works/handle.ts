import type { Usage } from '../meter';
import { PEERS, type PeerName } from '../peers';
import { measuredDuring } from '../profiling';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { FillParams } from '../roles/fill';
import type { HandleParams } from '../roles/handle';
import { metricsOf, type Dose } from './enqueue';
import { CPU, MEMORY, RATE, type Metrics, type Work } from './work';

const CAPACITY = 100;

export const handle: Work = {
  name: 'handle',
  title: 'Handle: no-op, capacity 100, each acked',
  baseline: 'amqplib',
  columns: [RATE, CPU, MEMORY],
  isInShort: true,
  casesOf: ({ isShort, peers }) => {
    const dose = isShort
      ? { bytes: 256, warmUpCount: 15_000, count: 20_000 }
      : { bytes: 256, warmUpCount: 20_000, count: 60_000 };
    return peers.map((peer) => ({
      variant: '',
      row: peer,
      title: PEERS[peer].title,
      note: PEERS[peer].handles,
      measure: (rig: Rig) => measureHandle(rig, peer, CAPACITY, dose),
    }));
  },
};

/** @throws Error when something is left in the queue: it was handled, but not acked. */
export async function measureHandle(rig: Rig, peer: PeerName, capacity: number, dose: Dose): Promise<Metrics> {
  const { bytes, warmUpCount, count } = dose;
  await rig.empty();
  const target = await rig.target(peer === 'bullmq');
  const form = peer === 'bullmq' ? 'job' : peer === 'nest-rmq' ? 'nest' : 'task';
  await Role.run('fill', { ...target, form, bytes, count: warmUpCount + count } satisfies FillParams);
  const params: HandleParams = { ...target, peer, capacity, warmUpCount, count };
  const usage = await Role.run<Usage>('handle', params);
  measuredDuring(usage);
  if (!(await rig.isEmptied())) throw new Error(`${PEERS[peer].title} left handled tasks unacked.`);
  return metricsOf(usage, count);
}
