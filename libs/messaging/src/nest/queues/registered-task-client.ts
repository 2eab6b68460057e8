import { Inject, Injectable } from '@nestjs/common';
import { MercuryError } from '../../errors';
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
    const registered = this.queues.find(queueName);
    if (registered) return registered.client;
    const message =
      `The queue "${queueName}" of a contract is not registered here: its tasks are put with the defaults of forRoot. ` +
      'Register it as the program that handles it does, with the same retryDelaysMs.';
    if (this.queues.named.length > 0) this.events.emit('problem', new MercuryError('QUEUE_NOT_REGISTERED', message));
    return super.open(queueName);
  }
}
