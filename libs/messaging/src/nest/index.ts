export { MessagingModule } from './messaging.module';
export { KEY_STORE, KeyStoreModule, type KeyStoreOptions } from './key-store.module';
export { MessagingConnections } from './messaging.connections';
export type { MessagingModuleAsyncOptions, MessagingModuleOptions } from './messaging.options';
export { TaskHandler, type TaskHandlerOptions } from './task-handler.decorator';
export { TaskContext } from './task.context';
export { WorkerTransport } from './worker.transport';
export { connectWorker } from './connect-worker';
export { Metrics } from './operations/metrics';
export { structuredLogs } from './operations/logging';
export { OperationsModule } from './operations/operations.module';
export { Readiness } from './operations/readiness';
export { requestLimits } from './operations/request-limits';
export {
  Environment,
  WholeNumber,
  WholeNumbers,
  brokerOptionsOf,
  exitOnConfigError,
  readEnvironment,
} from './environment';
export { runUntilSignal, type ShutdownOptions } from './shutdown';
