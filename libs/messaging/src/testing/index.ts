export { MemoryBroker, type AdvanceOptions, type IdleOptions, type QueuedMessage } from './memory-broker';
export type { MemoryConnections } from './memory-connections';
export { RecordingTaskClient, RecordingClient, type RecordedTask } from './recording-client';
export { runTask, type Handler, type RunResult, type RunTaskOptions } from './run-task';
