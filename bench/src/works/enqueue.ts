import type { Usage } from '../meter';
import { PEERS, type PeerName } from '../peers';
import { measuredDuring } from '../profiling';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { EnqueueParams } from '../roles/enqueue';
import { CPU, MEMORY, RATE, type Metrics, type Work } from './work';

export interface Dose {
  bytes: number;
  warmUpCount: number;
  count: number;
}

const OUTSTANDING = 1_000;
/** What Mercury lets be unconfirmed: more would only measure who buffers most. */
const OUTSTANDING_BYTES = 32 * 1_048_576;

export const enqueue: Work = {
  name: 'enqueue',
  title: 'Enqueue: 256 bytes, confirmed, 1,000 outstanding',
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
      note: PEERS[peer].sends,
      measure: (rig: Rig) => measureEnqueue(rig, peer, dose),
    }));
  },
};

/** @throws Error when fewer are in the queue than were confirmed. */
export async function measureEnqueue(rig: Rig, peer: PeerName, dose: Dose): Promise<Metrics> {
  await rig.empty();
  const target = await rig.target(peer === 'bullmq');
  const outstanding = Math.min(OUTSTANDING, Math.floor(OUTSTANDING_BYTES / dose.bytes));
  const params: EnqueueParams = { ...target, peer, ...dose, outstanding };
  const usage = await Role.run<Usage>('enqueue', params);
  measuredDuring(usage);
  const confirmedCount = dose.warmUpCount + dose.count;
  const storedCount = await rig.waitingCount();
  if (storedCount < confirmedCount) {
    throw new Error(`${PEERS[peer].title} was told that ${confirmedCount} are stored: there are ${storedCount}.`);
  }
  return metricsOf(usage, dose.count);
}

export function metricsOf({ seconds, cpuUs, rssMib, rssGrowthMib }: Usage, count: number): Metrics {
  return { ratePerS: count / seconds, cpuUsPerTask: cpuUs / count, rssMib, rssGrowthMib };
}
