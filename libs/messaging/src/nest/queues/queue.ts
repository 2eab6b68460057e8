import { Inject } from '@nestjs/common';
import type { BrokerOptions } from '../../broker/options';
import { DeadLetters } from '../../dead-letters/dead-letters';
import type { ScheduleOptions } from '../../schedules/schedule';
import { Scheduler } from '../../schedules/scheduler';
import type { WorkerOptions } from '../../tasks/options';
import { WorkerClient } from '../../tasks/worker-client';
import { HandlerWorker } from './handler-worker';

/** Of one queue; what is left out is as `forRoot` says, or its default. */
export interface QueueOptions extends Omit<WorkerOptions, keyof BrokerOptions | 'queueName'> {
  /** The queue, named exactly so on the broker. */
  name: string;
  /** Tasks to put at certain times, once per tick however many replicas run. Default: none. */
  schedules?: readonly ScheduleOptions[];
}

/** One work queue of an application: who puts tasks there, who executes them, and those that are dead. Inject it with `@InjectQueue(name)`. */
export class Queue {
  readonly name: string;
  readonly client: WorkerClient;
  readonly worker: HandlerWorker;
  readonly deadLetters: DeadLetters;
  readonly scheduler: Scheduler;

  /** @throws ConfigError `CONFIG_INVALID`. Does not connect. */
  constructor(
    { schedules = [], ...options }: WorkerOptions & Pick<QueueOptions, 'schedules'>,
    client = new WorkerClient(options),
  ) {
    this.name = options.queueName;
    this.client = client;
    this.worker = new HandlerWorker(options);
    this.deadLetters = new DeadLetters(options);
    this.scheduler = new Scheduler({ ...options, schedules });
  }

  /** Whether the application executes its tasks. */
  get hasHandlers(): boolean {
    return this.worker.types.length > 0;
  }
}

export function queueToken(name: string): string {
  return `mercury.queue ${name}`;
}

/** Injects the `Queue` that was registered under this name. */
export function InjectQueue(name: string): PropertyDecorator & ParameterDecorator {
  return Inject(queueToken(name));
}
