import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { checkRunner, type WorkerOptions } from '../config';
import { ConfigError, MercuryError } from '../errors';
import type { Events, WorkerEvents } from '../events';
import type { TaskRunner } from '../execution';
import { payloadOf, type Task } from '../task';
import { Worker } from '../worker';
import { MessagingConnections } from './messaging.connections';
import { MESSAGING_OPTIONS, workerOptionsOf, type MessagingModuleOptions } from './messaging.options';
import { TaskErrorsFilter } from './task-errors.filter';
import { TASK_TRANSPORT, type TaskHandlerOptions } from './task-handler.decorator';
import { TaskContext, currentTask } from './task.context';

type Listeners = { [Name in keyof WorkerEvents]: (...args: WorkerEvents[Name]) => void };

/** Executes tasks with the `@TaskHandler` methods of a Nest application. Connect it with `connectWorker(app)`. */
@Injectable()
export class WorkerTransport extends Server<Listeners> implements CustomTransportStrategy, OnApplicationBootstrap {
  override readonly transportId = TASK_TRANSPORT;
  private readonly worker: HandlerWorker;
  private isListening = false;
  private isInitialised = false;

  constructor(
    @Inject(MESSAGING_OPTIONS) options: MessagingModuleOptions,
    connections: MessagingConnections,
    config: ApplicationConfig,
  ) {
    super();
    this.worker = new HandlerWorker(
      workerOptionsOf(options, connections),
      (type) => this.runnerOf(type),
      () => this.types.map((type) => this.runnerOf(type)?.timeoutMs ?? 0),
    );
    // First in the list is last in line.
    config.getGlobalFilters().unshift(new TaskErrorsFilter());
  }

  get events(): Events<WorkerEvents> {
    return this.worker.events;
  }

  get runningCount(): number {
    return this.worker.runningCount;
  }

  get capacity(): number {
    return this.worker.capacity;
  }

  /** Why the worker makes no progress now; undefined when it does. */
  get problem(): MercuryError | undefined {
    return this.worker.problem;
  }

  /** The task types that have a handler. */
  get types(): string[] {
    return [...this.messageHandlers.keys()];
  }

  /** @throws ConfigError when two handlers want the same type: each task is executed by one. */
  override addHandler(
    pattern: string,
    callback: MessageHandler,
    isEventHandler?: boolean,
    extras?: TaskHandlerOptions,
  ): void {
    if (this.messageHandlers.has(pattern)) {
      throw new ConfigError('Task handlers', [`two @TaskHandler methods for the type "${pattern}"`]);
    }
    checkRunner(`@TaskHandler("${pattern}")`, extras);
    super.addHandler(pattern, callback, isEventHandler, { ...extras });
  }

  /**
   * Calls back at once: the application starts although the broker may be away, and readiness says so. Tasks begin only
   * when the application is initialised, too: Nest starts microservices before that.
   */
  override listen(callback: () => void): void {
    this.isListening = true;
    this.startWhenReady();
    callback();
  }

  onApplicationBootstrap(): void {
    this.isInitialised = true;
    this.startWhenReady();
  }

  private startWhenReady(): void {
    // What is wrong is told by the events and by `problem`; the worker goes on trying.
    if (this.isListening && this.isInitialised) void this.worker.start().catch(() => undefined);
  }

  /** Drains: takes no more tasks and waits for those that run. Nest calls it twice. */
  override close(): Promise<void> {
    return this.worker.stop();
  }

  override on<Name extends keyof Listeners, Listener extends Listeners[Name]>(event: Name, listener: Listener): void {
    this.worker.events.on(event, listener);
  }

  override unwrap<T>(): T {
    return this.worker as T;
  }

  private runnerOf(type: string): TaskRunner | undefined {
    const handler = this.messageHandlers.get(type);
    if (!handler) return undefined;
    const options = (handler.extras ?? {}) as TaskHandlerOptions;
    return { ...options, run: (task) => currentTask.run(task, () => this.call(handler, task)) };
  }

  private async call(handler: MessageHandler, task: Task): Promise<void> {
    const result: unknown = await handler(payloadOf(task), new TaskContext(task));
    await lastValueFrom(this.transformToObservable(result), { defaultValue: undefined });
  }
}

class HandlerWorker extends Worker {
  constructor(
    options: WorkerOptions,
    private readonly findRunner: (type: string) => TaskRunner | undefined,
    private readonly ownTimeoutsMs: () => number[],
  ) {
    super(options);
  }

  override handler(): void {
    throw new MercuryError('NO_HANDLER', 'Tasks of a Nest application are executed by its @TaskHandler methods.');
  }

  protected override runnerOf(type: string): TaskRunner | undefined {
    return this.findRunner(type);
  }

  protected override longestTimeoutMs(): number {
    return Math.max(super.longestTimeoutMs(), ...this.ownTimeoutsMs());
  }
}
