import { Injectable } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { ConfigError, MercuryError, describeError } from '../../errors';
import type { TaskRunner } from '../../tasks/execution';
import { payloadOf, type Task } from '../../tasks/task';
import type { Queue } from '../queues/queue';
import { Queues } from '../queues/queues';
import { HandlerCall } from './handler-call';
import type { HandlerDefinition } from './handler-definition';
import { HandlerExplorer, type FoundHandler } from './handler-explorer';
import { TaskErrorsFilter } from './task-errors.filter';
import { TaskContext } from './task.context';

const NO_MODULE =
  'their classes are in no module: name them among the providers or controllers of one, or say forRoot({ handlers: false }) in a program that only puts tasks';
const MOST_NAMED = 10;

/** Gives the handlers of the application to the workers and schedulers of their queues. */
@Injectable()
export class Handlers {
  /** Types whose filters were told of. */
  private readonly filtered = new Set<string>();

  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly queues: Queues,
    config: ApplicationConfig,
  ) {
    // The first in the list is the last in line.
    config.getGlobalFilters().unshift(new TaskErrorsFilter());
  }

  /** @throws ConfigError `CONFIG_INVALID` for a handler that could never run. */
  connect(): void {
    for (const handler of this.explorer.explore()) this.connectHandler(handler);
    const strangers = this.explorer.strangers().map(({ place }) => place);
    if (strangers.length > 0) throw new ConfigError(strangers.slice(0, MOST_NAMED).join(', '), [NO_MODULE]);
  }

  private connectHandler(handler: FoundHandler): void {
    const { definition, place } = handler;
    const queue = this.queues.of(definition.queue, place);
    queue.worker.addHandler(definition.type, place, this.runnerOf(handler, queue));
    if (definition.schedule) queue.scheduler.add({ ...definition.schedule, type: definition.type, body: {} });
  }

  private runnerOf({ definition, proxy }: FoundHandler, queue: Queue): TaskRunner {
    const call = proxy((filtered, reason) => this.reportFilter(queue, definition, filtered, reason));
    const { contract } = definition;
    return {
      ...definition.rules,
      run: async (task: Task) => {
        const json = payloadOf(task);
        const payload = contract ? await contract.receive(json) : json;
        return call.call(payload, new TaskContext(task), new HandlerCall(task));
      },
    };
  }

  /** Once for each type: a filter made for HTTP fails with every task that does. */
  private reportFilter(queue: Queue, { type }: HandlerDefinition, filtered: Error, reason: unknown): void {
    const isOfFilter = filtered !== reason && filtered !== (reason as Error | undefined)?.cause;
    const key = `${queue.name} ${type}`;
    if (!isOfFilter || this.filtered.has(key)) return;
    this.filtered.add(key);
    const message =
      `An exception filter answered the failure of a "${type}" task with another error, which changes nothing ` +
      `(${describeError(filtered).message}). Filters may throw DiscardTask or RetryTask; those for HTTP should pass on what is not of HTTP.`;
    queue.worker.events.emit('problem', new MercuryError('FILTER_FAILED', message, { cause: filtered }));
  }
}
