import { PEERS, type PeerName } from '../peers';
import { measureEnqueue, type Dose } from './enqueue';
import { measureHandle } from './handle';
import { CPU, MEMORY, RATE, type Case, type Work } from './work';

const CAPACITY = 100;
const CURVES: readonly PeerName[] = ['mercury', 'amqplib', 'amqplib-tasks'];
/** Fewer of the larger ones: each size moves at most some hundred megabytes. */
const DOSES: readonly (Dose & { size: string })[] = [
  { size: '1 KiB', bytes: 1_024, warmUpCount: 10_000, count: 40_000 },
  { size: '64 KiB', bytes: 65_536, warmUpCount: 500, count: 4_000 },
  { size: '1 MiB', bytes: 1_048_576, warmUpCount: 50, count: 300 },
];

export const payloadEnqueue: Work = {
  name: 'payload-enqueue',
  title: 'Payload, enqueued: 1,000 outstanding, but at most 32 MiB of them',
  baseline: 'amqplib',
  columns: [RATE, CPU, MEMORY],
  isInShort: false,
  mostRounds: 3,
  casesOf: () => casesOf((peer, dose) => (rig) => measureEnqueue(rig, peer, dose)),
};

export const payloadHandle: Work = {
  name: 'payload-handle',
  title: 'Payload, handled: no-op, capacity 100, each acked',
  baseline: 'amqplib',
  columns: [RATE, CPU, MEMORY],
  isInShort: false,
  mostRounds: 3,
  casesOf: () => casesOf((peer, dose) => (rig) => measureHandle(rig, peer, CAPACITY, dose)),
};

function casesOf(measureOf: (peer: PeerName, dose: Dose) => Case['measure']): Case[] {
  return DOSES.flatMap(({ size, ...dose }) =>
    CURVES.map((peer) => ({
      variant: size,
      row: peer,
      title: PEERS[peer].title,
      note: '',
      measure: measureOf(peer, dose),
    })),
  );
}
