import { PEERS, type PeerName } from '../peers';
import { measuredDuring } from '../profiling';
import type { Rig } from '../rig';
import { Role } from '../role';
import type { Observed, ObserveParams } from '../roles/observe';
import type { ProduceParams } from '../roles/produce';
import type { Column, Metrics, Work } from './work';

const CAPACITY = 100;
const BYTES = 256;
const column = (metric: string, heading: string): Column => ({ metric, heading, digits: 2, hasRatio: true });

export const latency: Work = {
  name: 'latency',
  title: 'Latency: from enqueue to handler, 256 bytes, at a fixed rate',
  baseline: 'amqplib',
  columns: [column('p50Ms', 'p50 ms'), column('p99Ms', 'p99 ms'), column('p999Ms', 'p99.9 ms')],
  isInShort: true,
  mostRounds: 3,
  casesOf: ({ isShort, peers }) => {
    const rates = isShort ? [200] : [200, 1_000];
    const seconds = isShort ? 2 : 15;
    return rates.flatMap((ratePerS) =>
      peers.map((peer) => ({
        variant: `${ratePerS.toLocaleString('en')}/s`,
        row: peer,
        title: PEERS[peer].title,
        note: PEERS[peer].handles.includes('Nagle') ? 'Nagle on' : '',
        measure: (rig: Rig) => measureLatency(rig, peer, ratePerS, seconds),
      })),
    );
  },
};

async function measureLatency(rig: Rig, peer: PeerName, ratePerS: number, seconds: number): Promise<Metrics> {
  await rig.empty();
  const target = await rig.target(peer === 'bullmq');
  const count = ratePerS * seconds;
  // As many as JIT and TCP need; at a low rate that takes longer.
  const warmUpCount = Math.max(200, ratePerS);
  const receiving: ObserveParams = { ...target, peer, capacity: CAPACITY, warmUpCount, count };
  const receiver = new Role('observe', receiving);
  await receiver.untilReady();
  const sending: ProduceParams = { ...target, peer, bytes: BYTES, ratePerS, count: warmUpCount + count };
  await Role.run('produce', sending);
  const observed = await receiver.untilDone<Observed>();
  measuredDuring(observed);
  const { p50Ms, p99Ms, p999Ms } = observed;
  return { p50Ms, p99Ms, p999Ms };
}
