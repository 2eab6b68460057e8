export { MemoryBroker, type QueuedMessage } from './memory-broker';
export { MemoryConnections } from './memory-connections';
export { RecordingClient, type RecordedTask } from './recording-client';
export { runTask, type Handler, type RunResult, type RunTaskOptions } from './run-task';
