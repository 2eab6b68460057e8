export { WorkerClient } from './tasks/worker-client';
export {
  TaskClient,
  type ContractPutItem,
  type ContractPutOptions,
  type OnContractOutcome,
  type TaskClientOptions,
} from './tasks/task-client';
export { EventContract, defineEvent, type EventContractOptions } from './bus/event-contract';
export {
  Contract,
  TaskContract,
  defineTask,
  type Received,
  type Sent,
  type TaskContractOptions,
} from './tasks/contract';
export type { PayloadClass, Sendable, StandardSchema } from './tasks/payload';
export { Worker } from './tasks/worker';
export {
  DEAD_LETTER_LIMITS,
  DeadLetters,
  type DeadLetterDetailPage,
  type DeadLetterPage,
  type DiscardResult,
  type PageOptions,
} from './dead-letters/dead-letters';
export type { ReplayOptions, ReplayProgress } from './dead-letters/replay';
export type { DeadLetter, DeadLetterSummary } from './dead-letters/dead-letter';
export { timeMsOf, type DeadLetterFilter } from './dead-letters/dead-letter-filter';
export type { FailedAttempt } from './tasks/history';
export { Scheduler } from './schedules/scheduler';
export type { ScheduleOptions } from './schedules/schedule';
export { Logger, LEVELS, type Level } from './bus/logger';
export { EventBus, type BusKind, type PublishEventOptions } from './bus/event-bus';
export type { Binding } from './bus/bindings';
export type { BusEvent, Subscription } from './bus/subscription';
export type { DurableEvent, DurableSubscription, DurableSubscriptionOptions } from './bus/durable-subscription';
export { durableQueueOf } from './bus/options';
export type { RemoveSubscriptionOptions, RemovedSubscription } from './bus/subscription-removal';
export { HEADER } from './headers';
export { payloadOf, type JsonObject, type Task } from './tasks/task';
export type { CallerHeaders } from './tasks/caller-headers';
export type { OnOutcome, PutAllOptions, PutCounts, PutItem, PutOutcome } from './tasks/put-all';
export type { PutOptions } from './tasks/put-options';
export type { LogLevel, LogLine } from './tasks/task-log';
export type { Outcome, Failure } from './tasks/outcome';
export type { TaskRunner } from './tasks/execution';
export type { PostponeLimits } from './tasks/retry-policy';
export type { ClientEvents } from './broker/events';
export { Events, type ConnectionEvents } from './events';
export type { EnqueuedTick, MissedTicks, SchedulerEvents } from './schedules/events';
export type { SettledAttempt, WorkerEvents } from './tasks/events';
export { DEFAULTS, type WorkerClientOptions, type WorkerOptions, type WorkerRules } from './tasks/options';
export { scheduleProblems, type SchedulerOptions } from './schedules/options';
export type { BrokerOptions, TopologyMode } from './broker/options';
export { applyTopology, topologyDifferences } from './tasks/apply-topology';
export {
  topologyOf,
  type BusTopologyOptions,
  type SubscriptionTopologyOptions,
  type QueueTopologyOptions,
  type TopologyOptions,
} from './tasks/topology-options';
export type { Difference } from './broker/differences';
export type { BindingDefinition, Definitions, ExchangeDefinition, QueueDefinition } from './broker/definitions';
export type { DeadLettersOptions } from './dead-letters/options';
export type { EventBusOptions } from './bus/options';
export { tlsFrom, type TlsOptions, type TlsVariables } from './broker/tls';
export type { KeyStore } from './tasks/key-store';
export { MemoryKeyStore } from './key-stores/memory-key-store';
export { escapeUnseen, printable } from './json-text';
export type { Clock } from './clock';
export { Connection, type Connections } from './broker/connection';
export type { Link, LinkEvents, MakeLink, SocketOptions } from './broker/link';
export { DELAY_LEVELS_MS, LONGEST_DELAY_MS } from './broker/delay';
export {
  EXCHANGE,
  deadQueueOf,
  delayQueueOf,
  dueQueueOf,
  retryQueueOf,
  scheduleQueueOf,
  suspectQueueOf,
} from './broker/topology';
export {
  BrokerError,
  ConfigError,
  DeadLetterError,
  DiscardTask,
  InvalidMessageError,
  MercuryError,
  PostponeTask,
  PublishError,
  RetryTask,
  type PublishFailure,
} from './errors';
