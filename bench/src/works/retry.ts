import type { Usage } from '../meter';
import { measuredDuring } from '../profiling';
import { RETRY_DELAY_MS, type Rig } from '../rig';
import { Role } from '../role';
import type { FillParams } from '../roles/fill';
import type { RetryParams } from '../roles/retry';
import { metricsOf } from './enqueue';
import { measureHandle } from './handle';
import { CPU, MEMORY, RATE, type Metrics, type Work } from './work';

const CAPACITY = 100;
const BYTES = 256;
const WARM_UP_COUNT = 20_000;
const COUNT = 100_000;

export const retry: Work = {
  name: 'retry',
  title: 'Retry: 1 % fail at their first attempt and come back after 100 ms; until all have succeeded',
  baseline: 'none failing',
  columns: [RATE, CPU, MEMORY],
  isInShort: false,
  casesOf: () => [
    {
      variant: '',
      row: '1 % failing',
      title: 'Mercury, 1 % failing',
      note: 'each failure: confirmed publish, ack, and back',
      measure: (rig) => measure(rig, 100),
    },
    {
      variant: '',
      row: 'none failing',
      title: 'Mercury, none failing',
      note: '',
      measure: (rig) => measure(rig, 0),
    },
    {
      variant: '',
      row: 'amqplib',
      title: 'amqplib, none failing',
      note: 'naive: `consume`, `ack`',
      measure: (rig) =>
        measureHandle(rig, 'amqplib', CAPACITY, { bytes: BYTES, warmUpCount: WARM_UP_COUNT, count: COUNT }),
    },
  ],
};

async function measure(rig: Rig, failEvery: number): Promise<Metrics> {
  await rig.empty();
  const target = await rig.target(false);
  const fill: FillParams = { ...target, form: 'task', bytes: BYTES, count: WARM_UP_COUNT + COUNT };
  await Role.run('fill', fill);
  const params: RetryParams = {
    ...target,
    capacity: CAPACITY,
    retryDelayMs: RETRY_DELAY_MS,
    failEvery,
    warmUpCount: WARM_UP_COUNT,
    count: COUNT,
  };
  const usage = await Role.run<Usage>('retry', params);
  measuredDuring(usage);
  if (!(await rig.isEmptied())) throw new Error('Mercury left tasks unacked.');
  return metricsOf(usage, COUNT);
}
