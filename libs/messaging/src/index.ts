export { WorkerClient } from './worker-client';
export { Worker } from './worker';
export {
  DEAD_LETTER_LIMITS,
  DeadLetters,
  type DeadLetterDetailPage,
  type DeadLetterPage,
  type DiscardResult,
  type PageOptions,
  type ReplayOptions,
  type ReplayProgress,
} from './dead-letters';
export type { DeadLetter, DeadLetterSummary } from './dead-letter';
export { timeMsOf, type DeadLetterFilter } from './dead-letter-filter';
export type { FailedAttempt } from './history';
export { Scheduler } from './scheduler';
export type { ScheduleOptions } from './schedule';
export { Logger, LEVELS, type Level } from './logger';
export { EventBus, type BusKind, type PublishEventOptions } from './event-bus';
export type { Binding, BusEvent, Subscription } from './subscription';
export { HEADER, payloadOf, type JsonObject, type Task } from './task';
export type { CallerHeaders } from './caller-headers';
export type { PutOptions } from './codec';
export type { Outcome, Failure } from './outcome';
export type { TaskRunner } from './execution';
export type {
  ClientEvents,
  ConnectionEvents,
  EnqueuedTick,
  Events,
  MissedTicks,
  SchedulerEvents,
  SettledAttempt,
  WorkerEvents,
} from './events';
export {
  DEFAULTS,
  scheduleProblems,
  type BrokerOptions,
  type DeadLettersOptions,
  type EventBusOptions,
  type SchedulerOptions,
  type WorkerClientOptions,
  type WorkerOptions,
  type WorkerRules,
} from './config';
export { tlsFrom, type TlsOptions, type TlsVariables } from './tls';
export type { KeyStore } from './key-store';
export { MemoryKeyStore } from './memory-key-store';
export { RedisKeyStore } from './redis-key-store';
export { escapeUnseen, printable } from './json-text';
export type { Clock } from './clock';
export { Connection, type Connections } from './connection';
export { DELAY_LEVELS_MS, LONGEST_DELAY_MS } from './delay';
export {
  EXCHANGE,
  deadQueueOf,
  delayQueueOf,
  dueQueueOf,
  retryQueueOf,
  scheduleQueueOf,
  suspectQueueOf,
} from './topology';
export {
  BrokerError,
  ConfigError,
  DeadLetterError,
  DiscardTask,
  InvalidMessageError,
  MercuryError,
  PublishError,
  RetryTask,
  type PublishFailure,
} from './errors';
