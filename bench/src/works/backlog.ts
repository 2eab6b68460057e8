import { PEERS, type PeerName } from '../peers';
import { measureHandle } from './handle';
import { CPU, RATE, type Case, type Work } from './work';

const CAPACITY = 100;
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
    (['mercury', 'amqplib'] as const).flatMap((peer) => [caseOf(peer, BACKLOG_COUNT), caseOf(peer, SHORT_COUNT)]),
};

function caseOf(peer: PeerName, queuedCount: number): Case {
  const queued = `${queuedCount.toLocaleString('en')} queued`;
  const dose = { bytes: 256, warmUpCount: WARM_UP_COUNT, count: queuedCount - WARM_UP_COUNT };
  return {
    variant: PEERS[peer].title,
    row: queued,
    title: queued,
    note: '',
    measure: (rig) => measureHandle(rig, peer, CAPACITY, dose),
  };
}
