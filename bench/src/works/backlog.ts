import { PEERS, type PeerName } from '../peers';
import { measureHandle } from './handle';
import { CPU, RATE, type Case, type Work } from './work';

/** The broker reads from its disk as many messages at once as acks arrive together. */
const CAPACITIES = [100, 1_000];
/** What the work queue holds at most. */
const BACKLOG_COUNT = 1_000_000;
const SHORT_COUNT = 200_000;
const WARM_UP_COUNT = 20_000;

export const backlog: Work = {
  name: 'backlog',
  title: 'Backlog: a queue of 1,000,000 tasks of 256 bytes is drained, beside one of 200,000',
  baseline: '200,000 queued',
  columns: [RATE, CPU, { metric: 'rssGrowthMib', heading: 'memory growth MiB', digits: 0, hasRatio: false }],
  isInShort: false,
  mostRounds: 2,
  casesOf: () =>
    (['mercury', 'amqplib'] as const).flatMap((peer) =>
      CAPACITIES.flatMap((capacity) => [caseOf(peer, capacity, BACKLOG_COUNT), caseOf(peer, capacity, SHORT_COUNT)]),
    ),
};

function caseOf(peer: PeerName, capacity: number, queuedCount: number): Case {
  const queued = `${queuedCount.toLocaleString('en')} queued`;
  const dose = { bytes: 256, warmUpCount: WARM_UP_COUNT, count: queuedCount - WARM_UP_COUNT };
  return {
    variant: `${PEERS[peer].title}, capacity ${capacity.toLocaleString('en')}`,
    row: queued,
    title: queued,
    note: '',
    measure: (rig) => measureHandle(rig, peer, capacity, dose),
  };
}
