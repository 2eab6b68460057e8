import { PEERS, type PeerName } from '../peers';
import { measuredDuring } from '../profiling';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { Observed, ObserveParams } from '../roles/observe';
import type { ProduceParams } from '../roles/produce';
import type { Column, Metrics, Work } from './work';

const CAPACITY = 100;
/** So many tasks V8 needs until its compilers have done: until then the slowest percent is three times as slow, for all peers. */
const WARM_UP_COUNT = 5_000;
const SHORT_WARM_UP_COUNT = 1_000;
const column = (metric: string, heading: string): Column => ({ metric, heading, digits: 2, hasRatio: true });

interface Load {
  variant: string;
  ratePerS: number;
  bytes: number;
}

const LOADS: readonly Load[] = [
  { variant: '200/s', ratePerS: 200, bytes: 256 },
  { variant: '1,000/s', ratePerS: 1_000, bytes: 256 },
  // More than amqplib writes in one piece: with Nagle's algorithm the second piece waits until the first is acknowledged.
  { variant: '200/s, 4 KiB', ratePerS: 200, bytes: 4_096 },
];

export const latency: Work = {
  name: 'latency',
  title: 'Latency: from enqueue to handler, at a fixed rate, 256 bytes or 4 KiB',
  baseline: 'amqplib',
  columns: [column('p50Ms', 'p50 ms'), column('p99Ms', 'p99 ms'), column('p999Ms', 'p99.9 ms')],
  isInShort: true,
  mostRounds: 3,
  casesOf: ({ isShort, peers }) => {
    const loads = isShort ? LOADS.slice(0, 1) : LOADS;
    const warmUpCount = isShort ? SHORT_WARM_UP_COUNT : WARM_UP_COUNT;
    const seconds = isShort ? 2 : 15;
    return loads.flatMap((load) =>
      peers.map((peer) => ({
        variant: load.variant,
        row: peer,
        title: PEERS[peer].title,
        note: PEERS[peer].handles.includes('Nagle') ? 'Nagle on' : '',
        measure: (rig: Rig) => measureLatency(rig, peer, { ...load, warmUpCount, count: load.ratePerS * seconds }),
      })),
    );
  },
};

interface Dose extends Load {
  warmUpCount: number;
  count: number;
}

async function measureLatency(rig: Rig, peer: PeerName, dose: Dose): Promise<Metrics> {
  const { warmUpCount, ratePerS, bytes, count } = dose;
  await rig.empty();
  const target = await rig.target(peer === 'bullmq');
  const receiving: ObserveParams = { ...target, peer, capacity: CAPACITY, warmUpCount, count };
  const receiver = new Role('observe', receiving);
  await receiver.untilReady();
  const sending: ProduceParams = { ...target, peer, bytes, warmUpCount, ratePerS, count: warmUpCount + count };
  await Role.run('produce', sending);
  const observed = await receiver.untilDone<Observed>();
  measuredDuring(observed);
  const { p50Ms, p99Ms, p999Ms } = observed;
  return { p50Ms, p99Ms, p999Ms };
}
