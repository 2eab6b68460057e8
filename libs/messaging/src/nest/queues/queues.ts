import { Inject, Injectable } from '@nestjs/common';
import { ConfigError } from '../../errors';
import { MessagingConnections } from '../messaging.connections';
import { MESSAGING_OPTIONS, workerOptionsOf, type MessagingModuleOptions } from '../messaging.options';
import { Queue, type QueueOptions } from './queue';

/** The work queues of an application. */
@Injectable()
export class Queues {
  /** The one that `forRoot` names, or that stands where no queue is registered. */
  readonly root: Queue;
  private readonly registered = new Map<string, Queue>();

  constructor(
    @Inject(MESSAGING_OPTIONS) private readonly options: MessagingModuleOptions,
    private readonly connections: MessagingConnections,
  ) {
    this.root = new Queue(workerOptionsOf(options, connections));
  }

  /** All that were registered, and the one of `forRoot` where it is not among them. */
  get all(): readonly Queue[] {
    return this.registered.has(this.root.name)
      ? [...this.registered.values()]
      : [this.root, ...this.registered.values()];
  }

  find(name: string): Queue | undefined {
    return this.all.find((queue) => queue.name === name);
  }

  /** @throws ConfigError `CONFIG_INVALID`, also for one that is there already. */
  register({ name, ...options }: QueueOptions): Queue {
    if (this.registered.has(name) || name === this.options.queueName) {
      throw new ConfigError('MessagingModule.registerQueue', [`the queue "${name}" is registered twice`]);
    }
    const { schedules: _ofRoot, ...defaults } = this.options;
    const queue = new Queue(workerOptionsOf({ ...defaults, ...options, queueName: name }, this.connections));
    this.registered.set(name, queue);
    return queue;
  }

  /**
   * The queue of a handler.
   * @param name undefined: the only one that there is.
   * @throws ConfigError `CONFIG_INVALID`, with the queues that there are.
   */
  of(name: string | undefined, place: string): Queue {
    const names = [...this.registered.keys()];
    const known = names.length === 0 ? 'none is registered' : `registered are ${names.join(', ')}`;
    if (name === undefined) {
      if (names.length === 0 || this.options.queueName !== undefined) return this.root;
      const [only] = this.registered.values();
      if (names.length === 1 && only) return only;
      throw new ConfigError(place, [`which queue is it of? Say { queue: … }: ${known}`]);
    }
    const queue = this.find(name);
    if (!queue) throw new ConfigError(place, [`there is no queue "${name}": ${known}`]);
    return queue;
  }
}
