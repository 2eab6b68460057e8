import { Inject, Injectable } from '@nestjs/common';
import { TaskClient } from '../../tasks/task-client';
import type { WorkerClient } from '../../tasks/worker-client';
import { MessagingConnections } from '../messaging.connections';
import { MESSAGING_OPTIONS, topologyOf, type MessagingModuleOptions } from '../messaging.options';
import { Queues } from './queues';

/** Puts the tasks of contracts by the clients of their queues, as these were registered. */
@Injectable()
export class RegisteredTaskClient extends TaskClient {
  constructor(
    private readonly queues: Queues,
    connections: MessagingConnections,
    @Inject(MESSAGING_OPTIONS) options: MessagingModuleOptions,
  ) {
    super({ connections, ...topologyOf(options) });
  }

  protected override open(queueName: string): WorkerClient {
    return this.queues.find(queueName)?.client ?? super.open(queueName);
  }
}
