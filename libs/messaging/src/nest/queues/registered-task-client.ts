import { TaskClient } from '../../tasks/task-client';
import type { WorkerClient } from '../../tasks/worker-client';
import type { MessagingConnections } from '../messaging.connections';
import { topologyOf, type MessagingModuleOptions } from '../messaging.options';
import type { Queues } from './queues';

/** Puts the tasks of contracts by the clients of their queues, as these were registered. */
export class RegisteredTaskClient extends TaskClient {
  constructor(
    private readonly queues: Queues,
    connections: MessagingConnections,
    options: MessagingModuleOptions,
  ) {
    super({ connections, ...topologyOf(options) });
  }

  protected override open(queueName: string): WorkerClient {
    return this.queues.find(queueName)?.client ?? super.open(queueName);
  }
}
