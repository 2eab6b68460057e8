import type { Fault } from '../fault';
import { deafConsumer, earlyAck, requeueLoop, skippedConfirm } from '../proofs/proofs';
import { diskAlarm, memoryAlarm } from './alarms';
import { baseline } from './baseline';
import { restartBroker } from './broker';
import { nodesKilled } from './cluster';
import { delayedTasks } from './delayed';
import { stuckLogger } from './logger';
import { blackHole, tcpReset } from './network';
import { killProducer } from './producer';
import { unencodable } from './publishing';
import { deadQueueFull, neighbourFull, queueDeleted, queueFull } from './queues';
import { blockedLoop, brokerAway } from './standstill';
import { alwaysFailing, garbage, killerTask } from './tasks';
import { killWorker, rollingRestart } from './workers';

/** In the order in which they run. */
export const FAULTS: readonly Fault[] = [
  baseline,
  killWorker,
  rollingRestart,
  killProducer,
  restartBroker,
  tcpReset,
  blackHole,
  memoryAlarm,
  diskAlarm,
  unencodable,
  queueFull,
  queueDeleted,
  deadQueueFull,
  neighbourFull,
  killerTask,
  alwaysFailing,
  garbage,
  delayedTasks,
  stuckLogger,
  blockedLoop,
  brokerAway,
  nodesKilled,
  earlyAck,
  skippedConfirm,
  requeueLoop,
  deafConsumer,
];
