import {
  Logger as NestLogger,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { EventBus } from '../bus/event-bus';
import { Logger } from '../bus/logger';
import { DeadLetters } from '../dead-letters/dead-letters';
import { MercuryError } from '../errors';
import { Scheduler } from '../schedules/scheduler';
import { Worker } from '../tasks/worker';
import { WorkerClient } from '../tasks/worker-client';
import { MessagingConnections } from './messaging.connections';
import {
  MESSAGING_OPTIONS,
  loggerOptionsOf,
  schedulerOptionsOf,
  workerOptionsOf,
  type MessagingModuleAsyncOptions,
  type MessagingModuleOptions,
} from './messaging.options';
import { WorkerTransport } from './worker.transport';

const PROVIDERS: Provider[] = [
  MessagingConnections,
  WorkerTransport,
  {
    provide: WorkerClient,
    inject: [MESSAGING_OPTIONS, MessagingConnections],
    useFactory: (options: MessagingModuleOptions, connections: MessagingConnections) =>
      new WorkerClient(workerOptionsOf(options, connections)),
  },
  {
    provide: DeadLetters,
    inject: [MESSAGING_OPTIONS, MessagingConnections],
    useFactory: (options: MessagingModuleOptions, connections: MessagingConnections) =>
      new DeadLetters(workerOptionsOf(options, connections)),
  },
  {
    provide: Scheduler,
    inject: [MESSAGING_OPTIONS, MessagingConnections],
    useFactory: (options: MessagingModuleOptions, connections: MessagingConnections) =>
      new Scheduler(schedulerOptionsOf(options, connections)),
  },
  {
    provide: Logger,
    inject: [MESSAGING_OPTIONS, MessagingConnections],
    useFactory: (options: MessagingModuleOptions, connections: MessagingConnections) =>
      new Logger(loggerOptionsOf(options, connections)),
  },
];

/**
 * Makes WorkerClient, DeadLetters, Scheduler, Logger, WorkerTransport and MessagingConnections injectable everywhere in the
 * application, and starts and stops the Scheduler and the application's own providers that extend Worker or Logger.
 */
@Module({ imports: [DiscoveryModule] })
export class MessagingModule
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly log = new NestLogger('Messaging');

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly transport: WorkerTransport,
    private readonly client: WorkerClient,
    private readonly deadLetters: DeadLetters,
    private readonly scheduler: Scheduler,
    private readonly connections: MessagingConnections,
  ) {}

  static forRoot(options: MessagingModuleOptions): DynamicModule {
    return moduleWith([{ provide: MESSAGING_OPTIONS, useValue: options }], []);
  }

  static forRootAsync(options: MessagingModuleAsyncOptions): DynamicModule {
    const { inject = [], useFactory, imports = [] } = options;
    return moduleWith([{ provide: MESSAGING_OPTIONS, inject, useFactory }], imports);
  }

  /** Before anything starts: the transport does so in its own hook, which comes before that of this module. */
  onModuleInit(): void {
    this.transport.events.on('problem', (problem) => this.log.warn(problem.message));
    this.client.events.on('problem', (problem) => this.log.warn(problem.message));
    this.deadLetters.events.on('problem', (problem) => this.log.warn(problem.message));
  }

  /** Starts in the background: an application must come up, and say that it is not ready, while the broker is away. */
  onApplicationBootstrap(): void {
    for (const worker of this.ownWorkers()) {
      worker.events.on('problem', (problem) => this.log.warn(problem.message));
      void worker.start().catch((error: unknown) => this.tell(error));
    }
    this.startScheduler();
    for (const logger of this.ownLoggers()) {
      logger.events.on('problem', (problem) => this.log.warn(problem.message));
      void logger.start().catch((error: unknown) => this.tell(error));
    }
  }

  /** While HTTP still answers: take no more tasks, finish those that run. */
  async beforeApplicationShutdown(): Promise<void> {
    const workers = this.ownWorkers().map((worker) => worker.stop());
    await Promise.all([this.scheduler.stop(), this.transport.close(), ...workers]);
  }

  /** Nest's last hook: HTTP is closed and nobody publishes any more. */
  async onApplicationShutdown(): Promise<void> {
    const stoppable = this.instances().filter(
      (instance) =>
        instance instanceof Logger ||
        instance instanceof EventBus ||
        instance instanceof WorkerClient ||
        instance instanceof DeadLetters,
    );
    await Promise.all(stoppable.map((instance) => instance.stop()));
    await this.connections.close();
  }

  private startScheduler(): void {
    const { events, queueName } = this.scheduler;
    events.on('problem', (problem) => this.log.warn(problem.message));
    events.on('leading', () => this.log.log(`Enqueues the schedules of queue "${queueName}" from now on`));
    events.on('standby', () => this.log.log(`Leaves the schedules of queue "${queueName}" to another replica`));
    events.on('enqueued', ({ id }) => this.log.debug(`Enqueued ${id}`));
    events.on('missed', ({ schedule, first, last }) =>
      this.log.warn(`Ticks of schedule "${schedule}" were missed: ${first.toISOString()} to ${last.toISOString()}`),
    );
    void this.scheduler.start().catch((error: unknown) => this.tell(error));
  }

  /** Stopped while it still connects is no error. */
  private tell(error: unknown): void {
    if (!(error instanceof MercuryError && error.code === 'STOPPED')) this.log.error(String(error));
  }

  private ownWorkers(): Worker[] {
    return this.instances().filter((instance): instance is Worker => instance instanceof Worker);
  }

  /** A plain Logger only publishes; one that extends it listens. */
  private ownLoggers(): Logger[] {
    const extended = (instance: unknown) => instance instanceof Logger && instance.constructor !== Logger;
    return this.instances().filter((instance): instance is Logger => extended(instance));
  }

  private instances(): unknown[] {
    const wrappers = this.discovery.getProviders().filter((wrapper) => wrapper.isDependencyTreeStatic());
    return [...new Set(wrappers.map((wrapper): unknown => wrapper.instance))];
  }
}

function moduleWith(options: Provider[], imports: NonNullable<DynamicModule['imports']>): DynamicModule {
  return {
    module: MessagingModule,
    global: true,
    imports,
    providers: [...options, ...PROVIDERS],
    exports: [MESSAGING_OPTIONS, MessagingConnections, WorkerTransport, WorkerClient, DeadLetters, Scheduler, Logger],
  };
}
