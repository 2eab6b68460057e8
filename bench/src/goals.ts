import type { Goal } from './report/goals';

const OTHER_SENDERS = ['golevelup', 'amqp-connection-manager', 'rabbitmq-client', 'nest-rmq', 'bullmq'];

const against = (work: string, metric: string, row: string, other: string, bound: Pick<Goal, 'atLeast' | 'atMost'>) => {
  const of = { work, variant: '', row, metric };
  return { of, to: { ...of, row: other }, ...bound };
};

/** What Mercury must reach. Ratios of one run: absolute numbers would be those of a machine. */
export const GOALS: readonly Goal[] = [
  against('enqueue', 'ratePerS', 'mercury', 'amqplib', { atLeast: 0.95 }),
  against('enqueue', 'cpuUsPerTask', 'mercury', 'amqplib', { atMost: 1.25 }),
  ...OTHER_SENDERS.map((peer) => against('enqueue', 'cpuUsPerTask', 'mercury', peer, { atMost: 1 })),
  against('handle', 'ratePerS', 'mercury', 'amqplib', { atLeast: 1 }),
  against('handle', 'cpuUsPerTask', 'mercury', 'amqplib', { atMost: 1.25 }),
];
