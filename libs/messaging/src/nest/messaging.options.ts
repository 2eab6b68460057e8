import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import type { Connections } from '../broker/connection';
import type { EventBusOptions } from '../bus/options';
import type { SchedulerOptions } from '../schedules/options';
import type { ScheduleOptions } from '../schedules/schedule';
import type { WorkerOptions } from '../tasks/options';

export const MESSAGING_OPTIONS = Symbol('mercury.options');

const DEFAULT_QUEUE = 'tasks';
const DEFAULT_LOGGER = 'logs';

/** Everything but the broker (`rabbitUrl`, or `connections`) has a default. */
export interface MessagingModuleOptions extends Partial<WorkerOptions> {
  /** Exchange of the injectable Logger. Default `logs`. */
  loggerName?: string;
  /** Tasks to put at certain times, once per tick however many replicas run. Default: none. */
  schedules?: readonly ScheduleOptions[];
}

export interface MessagingModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: FactoryProvider['inject'];
  useFactory: (...dependencies: never[]) => MessagingModuleOptions | Promise<MessagingModuleOptions>;
}

export function workerOptionsOf(options: MessagingModuleOptions, connections: Connections): WorkerOptions {
  const { rabbitUrl: _url, tls: _tls, link: _link, loggerName: _logger, schedules: _schedules, ...worker } = options;
  return { queueName: DEFAULT_QUEUE, ...worker, connections };
}

export function schedulerOptionsOf(options: MessagingModuleOptions, connections: Connections): SchedulerOptions {
  return { ...workerOptionsOf(options, connections), schedules: options.schedules ?? [] };
}

export function loggerOptionsOf(options: MessagingModuleOptions, connections: Connections): EventBusOptions {
  const { loggerName = DEFAULT_LOGGER, topology = 'declare' } = options;
  return { name: loggerName, topology, connections };
}
