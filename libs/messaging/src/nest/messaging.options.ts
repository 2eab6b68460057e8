import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import type { Connections } from '../broker/connection';
import { refuse } from '../checks';
import type { EventBusOptions } from '../bus/options';
import type { ScheduleOptions } from '../schedules/schedule';
import type { WorkerOptions } from '../tasks/options';
import type { QueueOptions } from './queues/queue';

export const MESSAGING_OPTIONS = Symbol('mercury.options');

const DEFAULT_QUEUE = 'tasks';
const DEFAULT_LOGGER = 'logs';

/** Everything but the broker (`rabbitUrl`, or `connections`) has a default; what is said of tasks is the default of all queues. */
export interface MessagingModuleOptions extends Partial<WorkerOptions> {
  /** @deprecated Register queues with `registerQueue`. The queue of the injectable WorkerClient, DeadLetters and Scheduler. Default `tasks`. */
  queueName?: string;
  /** Whether this program executes tasks with its handlers. Default true; false for one that only puts them. */
  handlers?: boolean;
  /** Exchange of the injectable Logger. Default `logs`. */
  loggerName?: string;
  /** Tasks to put at certain times, once per tick however many replicas run. Default: none. */
  schedules?: readonly ScheduleOptions[];
}

/** Options that are made of what Nest injects. */
export interface AsyncOptions<Options> extends Pick<ModuleMetadata, 'imports'> {
  inject?: FactoryProvider['inject'];
  useFactory: (...dependencies: never[]) => Options | Promise<Options>;
}

export type MessagingModuleAsyncOptions = AsyncOptions<MessagingModuleOptions>;

export interface QueueAsyncOptions extends AsyncOptions<Omit<QueueOptions, 'name'>> {
  name: string;
}

export function workerOptionsOf(
  options: MessagingModuleOptions,
  connections: Connections,
): WorkerOptions & Pick<MessagingModuleOptions, 'schedules'> {
  const {
    rabbitUrl: _url,
    tls: _tls,
    link: _link,
    loggerName: _logger,
    handlers: _handlers,
    queueName,
    ...worker
  } = options;
  return { ...worker, queueName: queueName ?? DEFAULT_QUEUE, connections };
}

export function loggerOptionsOf(options: MessagingModuleOptions, connections: Connections): EventBusOptions {
  return { name: options.loggerName ?? DEFAULT_LOGGER, connections, ...topologyOf(options) };
}

/** Who declares what is on the broker, as `forRoot` says. */
export function topologyOf({ topology }: MessagingModuleOptions): Pick<MessagingModuleOptions, 'topology'> {
  return topology === undefined ? {} : { topology };
}

/** What `registerQueue` knows: an option that is misspelt is refused, also where the compiler does not see it. */
export const QUEUE_OPTIONS: Readonly<Record<Exclude<keyof QueueOptions, 'name'>, true>> = {
  capacity: true,
  maxAttempts: true,
  retryDelaysMs: true,
  handlerTimeoutMs: true,
  drainTimeoutMs: true,
  publishTimeoutMs: true,
  maxPayloadBytes: true,
  postpone: true,
  logs: true,
  keyStore: true,
  idempotencyTtlMs: true,
  schedules: true,
};

export const ROOT_OPTIONS: Readonly<Record<keyof MessagingModuleOptions, true>> = {
  ...QUEUE_OPTIONS,
  rabbitUrl: true,
  tls: true,
  link: true,
  connections: true,
  topology: true,
  queueName: true,
  loggerName: true,
  handlers: true,
};

/** @throws ConfigError `CONFIG_INVALID`, with all that is not known. */
export function refuseUnknown(subject: string, options: object, known: Readonly<Record<string, true>>): void {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(known, name));
  refuse(
    subject,
    unknown.map((name) => `there is no option "${name}"`),
  );
}
