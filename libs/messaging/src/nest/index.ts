// First: it says what is missing before anything asks for it.
import './peers';
export { MessagingModule } from './messaging.module';
export { KEY_STORE, KeyStoreModule, type KeyStoreOptions } from './key-store.module';
export { MessagingConnections } from './messaging.connections';
export type { MessagingModuleAsyncOptions, MessagingModuleOptions } from './messaging.options';
export { TaskHandler, type TaskHandlerOptions } from './task-handler.decorator';
export { TaskContext } from './task.context';
export { WorkerTransport } from './worker.transport';
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
