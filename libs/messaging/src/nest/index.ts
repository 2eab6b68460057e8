// First: it says what is missing before anything asks for it.
import './peers';
export { MessagingModule } from './messaging.module';
export { KEY_STORE, KeyStoreModule, type KeyStoreOptions } from './key-store.module';
export { MessagingConnections } from './messaging.connections';
export type {
  AsyncOptions,
  MessagingModuleAsyncOptions,
  MessagingModuleOptions,
  QueueAsyncOptions,
} from './messaging.options';
export { InjectQueue, Queue, queueToken, type QueueOptions } from './queues/queue';
export { Queues } from './queues/queues';
export { HandlerWorker, WorkerTransport } from './queues/handler-worker';
export { TaskHandler, type HandlerDecorator, type TaskHandlerOptions } from './handlers/task-handler.decorator';
export { Buses, InjectBus, busToken, type BusOptions } from './buses/buses';
export { OnBusEvent, type OnBusEventOptions } from './handlers/on-bus-event.decorator';
export { EventContext, type HandledEvent } from './handlers/event.context';
export { Schedule, type ScheduleDecoratorOptions } from './handlers/schedule.decorator';
export { TaskContext } from './handlers/task.context';
export { connectWorker } from './connect-worker';
export { Readiness, type ReadinessCheck } from './readiness';
export { requestLimits } from './request-limits';
export {
  Environment,
  WholeNumber,
  WholeNumbers,
  brokerOptionsOf,
  exitOnConfigError,
  readEnvironment,
} from './environment';
export { runUntilSignal, type ShutdownOptions } from './shutdown';
