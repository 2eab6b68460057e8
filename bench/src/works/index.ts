import { apps } from './apps';
import { backlog } from './backlog';
import { batch } from './batch';
import { capacity } from './capacity';
import { enqueue } from './enqueue';
import { handle } from './handle';
import { http } from './http';
import { latency } from './latency';
import { payloadEnqueue, payloadHandle } from './payload';
import { retry } from './retry';
import { soak } from './soak';
import type { Work } from './work';
import { workers } from './workers';

/** In the order of the report. */
export const WORKS: readonly Work[] = [
  enqueue,
  handle,
  latency,
  http,
  batch,
  retry,
  backlog,
  payloadEnqueue,
  payloadHandle,
  capacity,
  workers,
  apps,
  soak,
];
