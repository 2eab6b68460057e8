import { PEERS } from '../peers';
import { measureHandle } from './handle';
import { CPU, MEMORY, RATE, type Work } from './work';

/** With one task at a time each waits for the broker: fewer of them take as long. */
const COUNTS = [
  { capacity: 1, count: 8_000 },
  { capacity: 10, count: 40_000 },
  { capacity: 100, count: 60_000 },
  { capacity: 1_000, count: 60_000 },
];

export const capacity: Work = {
  name: 'capacity',
  title: 'Capacity: no-op, 256 bytes, each acked',
  baseline: 'amqplib',
  columns: [RATE, CPU, MEMORY],
  isInShort: false,
  mostRounds: 3,
  casesOf: () =>
    COUNTS.flatMap(({ capacity, count }) =>
      (['mercury', 'amqplib'] as const).map((peer) => ({
        variant: `capacity ${capacity.toLocaleString('en')}`,
        row: peer,
        title: PEERS[peer].title,
        note: '',
        measure: (rig) => measureHandle(rig, peer, capacity, { bytes: 256, warmUpCount: count / 4, count }),
      })),
    ),
};
