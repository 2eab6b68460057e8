import { Inject, Injectable } from '@nestjs/common';
import { ConfigError } from '../../errors';
import type { WorkerOptions } from '../../tasks/options';
import { WorkerClient } from '../../tasks/worker-client';
import { MessagingConnections } from '../messaging.connections';
import {
  MESSAGING_OPTIONS,
  QUEUE_OPTIONS,
  ROOT_OPTIONS,
  refuseUnknown,
  workerOptionsOf,
  type MessagingModuleOptions,
} from '../messaging.options';
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
    refuseUnknown('MessagingModule.forRoot', options, ROOT_OPTIONS);
    const root = workerOptionsOf(options, connections);
    this.root = new Queue(root, new RootClient(root, () => this.whichQueue()));
  }

  /** All that were registered, and the one of `forRoot` where it is used and not among them. */
  get all(): readonly Queue[] {
    const { root, registered, options } = this;
    const isUsed = options.queueName !== undefined || registered.size === 0 || root.scheduler.hasSchedules;
    return isUsed && !registered.has(root.name) ? [root, ...registered.values()] : [...registered.values()];
  }

  /** Those that the application names. */
  get named(): readonly Queue[] {
    return this.all.filter((queue) => queue !== this.root || this.options.queueName !== undefined);
  }

  find(name: string): Queue | undefined {
    return this.all.find((queue) => queue.name === name);
  }

  /** @throws ConfigError `CONFIG_INVALID`, also for one that is there already. */
  register({ name, ...given }: QueueOptions): Queue {
    // What is undefined is left out: it is as forRoot says.
    const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    if (typeof name !== 'string') throw new ConfigError('MessagingModule.registerQueue', ['name is missing']);
    refuseUnknown(`Queue "${name}"`, options, QUEUE_OPTIONS);
    if (this.registered.has(name) || name === this.options.queueName) {
      throw new ConfigError('MessagingModule.registerQueue', [`the queue "${name}" is registered twice`]);
    }
    const { schedules: _ofRoot, ...defaults } = this.options;
    try {
      const queue = new Queue(workerOptionsOf({ ...defaults, ...options, queueName: name }, this.connections));
      this.registered.set(name, queue);
      return queue;
    } catch (error) {
      throw error instanceof ConfigError ? new ConfigError(`Queue "${name}"`, error.problems) : error;
    }
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

  /** Why the client of `forRoot` must not put anything: nobody would look for it there. */
  private whichQueue(): ConfigError | undefined {
    const names = [...this.registered.keys()];
    if (this.options.queueName !== undefined || names.length === 0 || names.includes(this.root.name)) return undefined;
    const advice = `which queue is it of? Inject TaskClient for contracts, or a Queue by @InjectQueue: registered are ${names.join(', ')}`;
    return new ConfigError('WorkerClient', [advice]);
  }
}

class RootClient extends WorkerClient {
  constructor(
    options: WorkerOptions,
    private readonly refusal: () => ConfigError | undefined,
  ) {
    super(options);
  }

  protected override publish(...task: Parameters<WorkerClient['publish']>): ReturnType<WorkerClient['publish']> {
    const refusal = this.refusal();
    if (refusal) throw refusal;
    return super.publish(...task);
  }
}
