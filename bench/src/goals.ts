import type { Goal } from './report/goals';
import type { Place } from './report/samples';

const OTHER_SENDERS = ['golevelup', 'amqp-connection-manager', 'rabbitmq-client', 'nest-rmq', 'bullmq'];
/** Of those that leave Nagle's algorithm on, those that write a message of more than 2 KiB in two pieces, as amqplib does. */
const NAGLE_PEERS = ['golevelup', 'amqp-connection-manager', 'nest-rmq'];
const RATES = ['200/s', '1,000/s'];
/** What is slowest in a thousand depends on what else the machine does: told, but not asked of a short run. */
const NOISY = ['p99Ms', 'p999Ms'];

type Bound = Pick<Goal, 'atLeast' | 'atMost' | 'isNoisy'>;

const mercury = (work: string, metric: string, variant = ''): Place => ({ work, variant, row: 'mercury', metric });

const ratio = (of: Place, otherRow: string, bound: Bound): Goal => ({ of, to: { ...of, row: otherRow }, ...bound });

/** What Mercury must reach. Ratios of one run, where that can be: absolute numbers would be those of a machine. */
export const GOALS: readonly Goal[] = [
  ratio(mercury('enqueue', 'ratePerS'), 'amqplib', { atLeast: 0.95 }),
  ratio(mercury('enqueue', 'cpuUsPerTask'), 'amqplib', { atMost: 1.25 }),
  ...OTHER_SENDERS.map((peer) => ratio(mercury('enqueue', 'cpuUsPerTask'), peer, { atMost: 1 })),

  ratio(mercury('handle', 'ratePerS'), 'amqplib', { atLeast: 1 }),
  ratio(mercury('handle', 'cpuUsPerTask'), 'amqplib', { atMost: 1.25 }),

  ...RATES.flatMap((rate) => [
    ...['p50Ms', 'p99Ms', 'p999Ms'].map((metric) =>
      ratio(mercury('latency', metric, rate), 'amqplib', { atMost: 1.15, isNoisy: NOISY.includes(metric) }),
    ),
  ]),
  ...NAGLE_PEERS.map((peer) => ratio(mercury('latency', 'p50Ms', '200/s, 4 KiB'), peer, { atMost: 0.1 })),

  ratio(mercury('http', 'cpuUsPerRequest'), 'bare', { atMost: 1.2 }),
  ratio(mercury('http', 'cpuUsPerRequest'), 'nest-bullmq', { atMost: 1 }),
  ratio({ ...mercury('batch', 'ratePerS'), row: 'batch' }, 'single', { atLeast: 8 }),
  ratio({ ...mercury('retry', 'ratePerS'), row: '1 % failing' }, 'none failing', { atLeast: 0.9 }),
  ...['100', '1,000'].flatMap((capacity): Goal[] => {
    const backlog = (metric: string): Place => ({
      ...mercury('backlog', metric, `Mercury, capacity ${capacity}`),
      row: '1,000,000 queued',
    });
    return [
      ratio(backlog('ratePerS'), '200,000 queued', { atLeast: 0.9 }),
      // Flat: less than what a garbage collector leaves from one look to the next.
      { of: backlog('rssGrowthMib'), atMost: 30 },
    ];
  }),

  ...['producer', 'consumer', 'logger'].map((row): Goal => ({
    of: { ...mercury('apps', 'readyS'), row },
    atMost: 1.5,
  })),

  { of: mercury('soak', 'senderMibPerMin'), atMost: 0.5 },
  { of: mercury('soak', 'receiverMibPerMin'), atMost: 0.5 },
  { of: mercury('soak', 'mostMs'), atMost: 1_000 },
  { of: mercury('soak', 'longestGapMs'), atMost: 1_000 },
];
