import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ModulesContainer } from '@nestjs/core';
import { EventBus } from '../bus/event-bus';
import { Logger } from '../bus/logger';
import { DeadLetters } from '../dead-letters/dead-letters';
import { ConfigError } from '../errors';
import { Scheduler } from '../schedules/scheduler';
import { TaskClient } from '../tasks/task-client';
import { Worker } from '../tasks/worker';
import { WorkerClient } from '../tasks/worker-client';
import { BusModule } from './buses/bus.module';
import { Buses, type BusOptions } from './buses/buses';
import { HandlerExplorer } from './handlers/handler-explorer';
import { Handlers } from './handlers/handlers';
import { MessagingConnections } from './messaging.connections';
import { MessagingLog } from './messaging.log';
import {
  MESSAGING_OPTIONS,
  loggerOptionsOf,
  type MessagingModuleAsyncOptions,
  type MessagingModuleOptions,
  type QueueAsyncOptions,
} from './messaging.options';
import { HandlerWorker } from './queues/handler-worker';
import type { Queue, QueueOptions } from './queues/queue';
import { QueueModule } from './queues/queue.module';
import { Queues } from './queues/queues';
import { RegisteredTaskClient } from './queues/registered-task-client';

/** What is injected by its class is of the queue of `forRoot`. */
const ofRoot = (
  provide: typeof WorkerClient | typeof HandlerWorker | typeof DeadLetters | typeof Scheduler,
  part: (queue: Queue) => unknown,
): Provider => ({
  provide,
  inject: [Queues],
  useFactory: ({ root }: Queues) => part(root),
});

const PROVIDERS: Provider[] = [
  MessagingConnections,
  Queues,
  Buses,
  HandlerExplorer,
  Handlers,
  ofRoot(WorkerClient, ({ client }) => client),
  ofRoot(HandlerWorker, ({ worker }) => worker),
  ofRoot(DeadLetters, ({ deadLetters }) => deadLetters),
  ofRoot(Scheduler, ({ scheduler }) => scheduler),
  { provide: TaskClient, useClass: RegisteredTaskClient },
  {
    provide: Logger,
    inject: [MESSAGING_OPTIONS, MessagingConnections],
    useFactory: (options: MessagingModuleOptions, connections: MessagingConnections) =>
      new Logger(loggerOptionsOf(options, connections)),
  },
];

/**
 * Makes TaskClient, Logger, MessagingConnections and the parts of each queue injectable everywhere in the application. With the application it
 * starts and stops the workers of all queues that have handlers, the schedulers, and the application's own providers that extend Worker or Logger.
 */
@Module({ imports: [DiscoveryModule] })
export class MessagingModule
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly log = new MessagingLog();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly modules: ModulesContainer,
    private readonly queues: Queues,
    private readonly buses: Buses,
    private readonly handlers: Handlers,
    private readonly connections: MessagingConnections,
    @Inject(MESSAGING_OPTIONS) private readonly options: MessagingModuleOptions,
  ) {}

  /** Once in an application. @throws ConfigError `CONFIG_INVALID`, when the application starts. */
  static forRoot(options: MessagingModuleOptions): DynamicModule {
    return moduleWith([{ provide: MESSAGING_OPTIONS, useValue: options }], []);
  }

  static forRootAsync(options: MessagingModuleAsyncOptions): DynamicModule {
    const { inject = [], useFactory, imports = [] } = options;
    return moduleWith([{ provide: MESSAGING_OPTIONS, inject, useFactory }], imports);
  }

  /** Registers work queues, in any module, as often as there are some. `@InjectQueue(name)` injects a `Queue`, everywhere. */
  static registerQueue(...queues: readonly QueueOptions[]): DynamicModule {
    return QueueModule.with(queues.map((queue) => ({ name: queue.name, useFactory: () => queue })));
  }

  static registerQueueAsync(...queues: readonly QueueAsyncOptions[]): DynamicModule {
    return QueueModule.with(queues);
  }

  /** Registers event buses. `@InjectBus(name)` injects an `EventBus`, everywhere. */
  static registerBus(...buses: readonly BusOptions[]): DynamicModule {
    return BusModule.with(buses);
  }

  /** Before anything starts. */
  onModuleInit(): void {
    const roots = [...this.modules.values()].filter(({ metatype }) => metatype === MessagingModule);
    if (roots.length > 1) {
      throw new ConfigError('MessagingModule', [
        'forRoot is called more than once: call it once, and registerQueue for each queue',
      ]);
    }
    for (const { worker, client, deadLetters, scheduler } of this.queues.all) {
      for (const { events } of [worker, client, deadLetters, scheduler]) this.log.tellProblemsOf(events);
    }
    for (const { events } of this.buses.all) this.log.tellProblemsOf(events);
    // Of queues that are not registered here it has clients of its own.
    for (const client of this.instances()) if (client instanceof TaskClient) this.log.tellProblemsOf(client.events);
    if (this.options.handlers !== false) this.handlers.connect();
  }

  /** Starts in the background: an application must come up, and say that it is not ready, while the broker is away. */
  onApplicationBootstrap(): void {
    for (const bus of this.buses.all) bus.start();
    // First: what it refuses keeps the application from starting.
    this.handlers.subscribe();
    for (const worker of this.ownWorkers()) {
      this.log.tellProblemsOf(worker.events);
      void worker.start().catch((error: unknown) => this.log.tellFailure(error));
    }
    for (const queue of this.queues.all) {
      // What is wrong is told by the events and by `problem`; the worker goes on trying.
      if (queue.hasHandlers) {
        queue.worker.events.once('ready', () => this.askForSignals());
        void queue.worker.start().catch(() => undefined);
      }
      this.log.tellTicksOf(queue.scheduler);
      void queue.scheduler.start().catch((error: unknown) => this.log.tellFailure(error));
    }
    // Whoever only puts, or goes by what others have declared, is ready once its queues are there.
    if (this.options.handlers === false || this.options.topology === 'check') {
      for (const { client } of this.queues.named) client.start();
    }
    for (const logger of this.ownLoggers()) {
      this.log.tellProblemsOf(logger.events);
      void logger.start().catch((error: unknown) => this.log.tellFailure(error));
    }
  }

  /** While HTTP still answers: take no more tasks, finish those that run. */
  async beforeApplicationShutdown(): Promise<void> {
    const { all } = this.queues;
    const stopping = [
      ...all.map(({ scheduler }) => scheduler),
      ...all.map(({ worker }) => worker),
      ...this.ownWorkers(),
    ];
    await Promise.all([this.handlers.unsubscribe(), ...stopping.map((each) => each.stop())]);
  }

  /** Nest's last hook: HTTP is closed and nobody publishes any more. */
  async onApplicationShutdown(): Promise<void> {
    const stoppable = this.instances().filter(
      (instance) =>
        instance instanceof Logger ||
        instance instanceof EventBus ||
        instance instanceof WorkerClient ||
        instance instanceof TaskClient ||
        instance instanceof DeadLetters,
    );
    const ofQueues = this.queues.all.flatMap(({ client, deadLetters }) => [client, deadLetters]);
    await Promise.all([...stoppable, ...ofQueues].map((each) => each.stop()));
    await this.connections.close();
  }

  /** Once what `main.ts` does after `listen` is done, too. */
  private askForSignals(): void {
    const isTest = [...this.modules.values()].some(({ name }) => name === 'RootTestModule');
    if (!isTest) this.log.askForSignals();
  }

  private ownWorkers(): Worker[] {
    const isOwn = (instance: unknown) => instance instanceof Worker && !(instance instanceof HandlerWorker);
    return this.instances().filter((instance): instance is Worker => isOwn(instance));
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
    exports: [
      MessagingConnections,
      Queues,
      Buses,
      Handlers,
      TaskClient,
      HandlerWorker,
      WorkerClient,
      DeadLetters,
      Scheduler,
      Logger,
    ],
  };
}
