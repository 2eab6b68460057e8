import { Inject, Injectable, UseFilters, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { ConfigError, MercuryError, describeError } from '../errors';
import type { Events } from '../events';
import type { WorkerEvents } from '../tasks/events';
import type { TaskRunner } from '../tasks/execution';
import { checkRunner, type WorkerOptions } from '../tasks/options';
import { payloadOf, type Task } from '../tasks/task';
import { Worker } from '../tasks/worker';
import { HandlerCall, currentCall, type Thrown } from './handler-call';
import { MessagingConnections } from './messaging.connections';
import { MESSAGING_OPTIONS, workerOptionsOf, type MessagingModuleOptions } from './messaging.options';
import { ErrorWitness, PipeWitness, TaskErrorsFilter } from './task-errors.filter';
import { TASK_TRANSPORT, type TaskHandlerExtras, type TaskHandlerOptions } from './task-handler.decorator';
import { TaskContext } from './task.context';

type Listeners = { [Name in keyof WorkerEvents]: (...args: WorkerEvents[Name]) => void };

/** Executes tasks with the `@TaskHandler` methods of a Nest application. Connect it with `connectWorker(app)`. */
@Injectable()
export class WorkerTransport extends Server<Listeners> implements CustomTransportStrategy, OnApplicationBootstrap {
  override readonly transportId = TASK_TRANSPORT;
  private readonly worker: HandlerWorker;
  private isListening = false;
  private isInitialised = false;
  /** Types whose filters were told of. */
  private readonly filteredTypes = new Set<string>();

  constructor(
    @Inject(MESSAGING_OPTIONS) options: MessagingModuleOptions,
    connections: MessagingConnections,
    config: ApplicationConfig,
    modules: ModulesContainer,
  ) {
    super();
    this.worker = new HandlerWorker(
      workerOptionsOf(options, connections),
      (type) => this.runnerOf(type),
      () => this.types.map((type) => this.runnerOf(type)?.timeoutMs ?? 0),
    );
    // Of filters the first in the list is the last in line, of pipes it is the first.
    config.getGlobalFilters().unshift(new TaskErrorsFilter());
    config.getGlobalPipes().unshift(new PipeWitness());
    for (const method of taskHandlersOf(modules)) witnessErrorsOf(method);
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
  get types(): readonly string[] {
    return [...this.messageHandlers.keys()];
  }

  /**
   * Handlers that name no transport Nest offers to every one: those are none of ours.
   * @throws ConfigError when two handlers want the same type: each task is executed by one.
   */
  override addHandler(
    pattern: string,
    callback: MessageHandler,
    isEventHandler?: boolean,
    extras?: TaskHandlerExtras,
  ): void {
    if (!extras?.[TASK_TRANSPORT]) return;
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
    return {
      ...options,
      run: (task) => {
        const call = new HandlerCall(task);
        return currentCall.run(call, () => this.call(handler, task, call));
      },
    };
  }

  private async call(handler: MessageHandler, task: Task, call: HandlerCall): Promise<void> {
    let filtered: Thrown | undefined;
    try {
      const result: unknown = await handler(payloadOf(task), new TaskContext(task));
      await lastValueFrom(this.transformToObservable(result), { defaultValue: undefined });
    } catch (error) {
      filtered = { error };
    }
    const failure = call.failure(filtered);
    if (!failure) return;
    if (filtered?.error instanceof Error) this.reportFilter(task.type, filtered.error, failure.error);
    throw failure.error;
  }

  /** Once for each type: a filter made for HTTP fails with every task that does. */
  private reportFilter(type: string, filtered: Error, failure: unknown): void {
    const isOfFilter = filtered !== failure && filtered !== (failure as Error | undefined)?.cause;
    if (!isOfFilter || this.filteredTypes.has(type)) return;
    this.filteredTypes.add(type);
    const message =
      `An exception filter answered the failure of a "${type}" task with another error, which changes nothing ` +
      `(${describeError(filtered).message}). Filters may throw DiscardTask, RetryTask or PostponeTask; those for HTTP should pass on what is not of HTTP.`;
    this.worker.events.emit('problem', new MercuryError('FILTER_FAILED', message, { cause: filtered }));
  }
}

const witnessed = new WeakSet<() => unknown>();

/** Behind all decorators, so that it is asked before their filters; once, also where several applications have the class. */
function witnessErrorsOf(method: () => unknown): void {
  if (witnessed.has(method)) return;
  witnessed.add(method);
  UseFilters(new ErrorWitness())(method);
}

/** The methods of controllers that have `@TaskHandler`, before Nest makes anything of them. */
function* taskHandlersOf(modules: ModulesContainer): Generator<() => unknown> {
  const scanner = new MetadataScanner();
  for (const { controllers } of modules.values()) {
    for (const { metatype } of controllers.values()) {
      const prototype = (metatype as { prototype?: Record<string, () => unknown> } | null)?.prototype;
      if (!prototype) continue;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const method = prototype[name];
        if (method && Reflect.hasMetadata(TASK_TRANSPORT, method)) yield method;
      }
    }
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
