import type { Connections } from './connection';
import { ConfigError } from './errors';
import type { TaskRunner } from './execution';
import { LEAST_FRAME_BYTES } from './frame-fit';
import type { KeyStore } from './key-store';
import { MOST_ATTEMPTS, type RetryPolicy } from './retry-policy';
import { schedulesOf, type Schedule, type ScheduleOptions } from './schedule';

export const DEFAULTS = {
  capacity: 10,
  maxAttempts: 6,
  retryDelaysMs: [1_000, 10_000, 60_000, 600_000, 3_600_000],
  handlerTimeoutMs: 600_000,
  drainTimeoutMs: 25_000,
  publishTimeoutMs: 5_000,
  maxPayloadBytes: 1_048_576,
  idempotencyTtlMs: 86_400_000,
} as const;

/** RabbitMQ 4 limits a message to 16 MiB (RabbitMQ docs, max_message_size). */
const LARGEST_PAYLOAD_BYTES = 16 * 1_048_576;
/** The protocol's prefetch count is a 16-bit number. */
const LARGEST_CAPACITY = 65_535;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LONGEST_TTL_MS = 366 * 86_400_000;

/** Where the broker is: a URL (or several, for a cluster), or connections that somebody else owns. */
export interface BrokerOptions {
  rabbitUrl?: string | readonly string[];
  connections?: Connections;
}

export interface WorkerClientOptions extends BrokerOptions {
  queueName: string;
  /** How long `put` may wait for the broker's confirm, in milliseconds. Default 5,000. */
  publishTimeoutMs?: number;
  /** Largest body of a task, in bytes. Default 1 MiB, at most 16 MiB. */
  maxPayloadBytes?: number;
  /** The retry levels, ascending, in milliseconds: client and worker declare the same. Default 1 s, 10 s, 1 min, 10 min, 1 h. */
  retryDelaysMs?: readonly number[];
}

export interface WorkerOptions extends WorkerClientOptions {
  /** Most tasks at once; it is the consumer's prefetch. 1 to 65,535, default 10. */
  capacity?: number;
  /** Attempts in all, the first included. Default 6. */
  maxAttempts?: number;
  /** How long one attempt may take, in milliseconds. Default 600,000. */
  handlerTimeoutMs?: number;
  /** How long `stop` waits for running handlers, in milliseconds. Default 25,000. */
  drainTimeoutMs?: number;
  /** Where it is remembered which tasks have succeeded, so that none of them is executed again. Default: nowhere. */
  keyStore?: KeyStore;
  /** How long it is remembered, in milliseconds. Default 24 h, at most 366 days. */
  idempotencyTtlMs?: number;
}

export interface DeadLettersOptions extends BrokerOptions {
  /** The work queue whose dead letters they are. */
  queueName: string;
  /** How long a reading waits for the broker, and a replay for each confirm, in milliseconds. Default 5,000. */
  publishTimeoutMs?: number;
}

export interface SchedulerOptions extends Omit<WorkerClientOptions, 'publishTimeoutMs'> {
  /** May be empty: then there is nothing to do, and it does not connect. All replicas should have the same. */
  schedules: readonly ScheduleOptions[];
}

export interface EventBusOptions extends BrokerOptions {
  /** The exchange, named exactly so. */
  name: string;
  publishTimeoutMs?: number;
}

export interface ResolvedBroker {
  readonly urls: readonly string[];
  readonly connections: Connections | undefined;
}

export interface ResolvedClient extends ResolvedBroker {
  readonly queueName: string;
  readonly publishTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly retryDelaysMs: readonly number[];
}

export interface ResolvedWorker extends ResolvedClient {
  readonly capacity: number;
  readonly policy: RetryPolicy;
  readonly handlerTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly keyStore: KeyStore | undefined;
  readonly idempotencyTtlMs: number;
}

export type WorkerRules = Pick<
  ResolvedWorker,
  'queueName' | 'policy' | 'retryDelaysMs' | 'handlerTimeoutMs' | 'maxPayloadBytes'
>;

export interface ResolvedDeadLetters extends ResolvedBroker {
  readonly queueName: string;
  readonly publishTimeoutMs: number;
}

export interface ResolvedScheduler extends ResolvedClient {
  readonly schedules: readonly Schedule[];
}

export interface ResolvedBus extends ResolvedBroker {
  readonly name: string;
  readonly publishTimeoutMs: number;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveBroker(options: BrokerOptions): ResolvedBroker {
  const problems: string[] = [];
  const resolved = brokerOf(options, problems);
  refuse('Broker options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveClient(options: WorkerClientOptions): ResolvedClient {
  const problems: string[] = [];
  const resolved = clientOf(options, problems);
  refuse('WorkerClient options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveWorker(options: WorkerOptions): ResolvedWorker {
  const problems: string[] = [];
  const client = clientOf(options, problems);
  const maxAttempts = whole('maxAttempts', options.maxAttempts ?? DEFAULTS.maxAttempts, 1, MOST_ATTEMPTS, problems);
  const ttlMs = options.idempotencyTtlMs ?? DEFAULTS.idempotencyTtlMs;
  const resolved = {
    ...client,
    capacity: whole('capacity', options.capacity ?? DEFAULTS.capacity, 1, LARGEST_CAPACITY, problems),
    policy: { maxAttempts, delaysMs: client.retryDelaysMs },
    handlerTimeoutMs: timeout('handlerTimeoutMs', options.handlerTimeoutMs, problems),
    drainTimeoutMs: timeout('drainTimeoutMs', options.drainTimeoutMs, problems),
    keyStore: options.keyStore,
    idempotencyTtlMs: whole('idempotencyTtlMs', ttlMs, 1, LONGEST_TTL_MS, problems),
  };
  refuse('Worker options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveScheduler(options: SchedulerOptions): ResolvedScheduler {
  const problems: string[] = [];
  const client = clientOf(options, problems);
  const resolved = { ...client, schedules: schedulesOf(options.schedules, client.maxPayloadBytes, problems) };
  refuse('Scheduler options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem of what a task type wants for itself. */
export function checkRunner(subject: string, runner: Omit<TaskRunner, 'run'> = {}): void {
  const problems: string[] = [];
  const { timeoutMs, maxAttempts, retryDelaysMs } = runner;
  if (timeoutMs !== undefined) whole('timeoutMs', timeoutMs, 1, LONGEST_TIMER_MS, problems);
  if (maxAttempts !== undefined) whole('maxAttempts', maxAttempts, 1, MOST_ATTEMPTS, problems);
  if (retryDelaysMs !== undefined) levels(retryDelaysMs, problems);
  refuse(subject, problems);
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveDeadLetters(options: DeadLettersOptions): ResolvedDeadLetters {
  const problems: string[] = [];
  const resolved = {
    ...brokerOf(options, problems),
    queueName: amqpName('queueName', options.queueName, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs, problems),
  };
  refuse('DeadLetters options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveBus(options: EventBusOptions): ResolvedBus {
  const problems: string[] = [];
  const resolved = {
    ...brokerOf(options, problems),
    name: amqpName('name', options.name, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs, problems),
  };
  refuse('Event bus options', problems);
  return resolved;
}

function clientOf(options: WorkerClientOptions, problems: string[]): ResolvedClient {
  const bytes = options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes;
  return {
    ...brokerOf(options, problems),
    queueName: amqpName('queueName', options.queueName, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs, problems),
    maxPayloadBytes: whole('maxPayloadBytes', bytes, 1, LARGEST_PAYLOAD_BYTES, problems),
    retryDelaysMs: levels(options.retryDelaysMs ?? DEFAULTS.retryDelaysMs, problems),
  };
}

function brokerOf(options: BrokerOptions, problems: string[]): ResolvedBroker {
  if (options.connections) return { urls: [], connections: options.connections };
  const given: readonly unknown[] = Array.isArray(options.rabbitUrl) ? options.rabbitUrl : [options.rabbitUrl];
  const urls = given.flatMap((url) => (typeof url === 'string' ? url.split(',') : [])).map((url) => url.trim());
  if (urls.length === 0) problems.push('rabbitUrl is missing: give a URL such as amqp://user:password@host:5672');
  // The URL itself is never repeated: it holds a password.
  if (!urls.every(isAmqpUrl)) problems.push('rabbitUrl must be amqp:// or amqps:// URLs');
  else if (!urls.every(hasRoomForHeaders)) {
    problems.push(`frameMax of rabbitUrl must be at least ${LEAST_FRAME_BYTES}, or 0 for what the broker allows`);
  }
  return { urls, connections: undefined };
}

function isAmqpUrl(url: string): boolean {
  return URL.canParse(url) && ['amqp:', 'amqps:'].includes(new URL(url).protocol);
}

/** As amqplib reads it. From RabbitMQ 4.1 on less would end each connection without a word. */
function hasRoomForHeaders(url: string): boolean {
  const frameMax = Number.parseInt(new URL(url).searchParams.get('frameMax') ?? '0', 10);
  return !(frameMax > 0 && frameMax < LEAST_FRAME_BYTES);
}

/** Names of queues and exchanges: at most 255 bytes in AMQP, of which the suffixes of our own queues need some. */
function amqpName(field: string, name: unknown, problems: string[]): string {
  const fits = typeof name === 'string' && name.length > 0 && Buffer.byteLength(name) <= 200;
  if (!fits) problems.push(`${field} must be a name of 1 to 200 bytes`);
  else if (/^(amq|mercury)\./.test(name)) {
    problems.push(`${field} must not start with "amq." or "mercury.", which RabbitMQ and Mercury keep for themselves`);
  }
  return String(name);
}

/** Every problem of schedules that somebody else has written, such as those of a file; none when they can be used. */
export function scheduleProblems(schedules: unknown): string[] {
  const problems: string[] = [];
  schedulesOf(schedules, DEFAULTS.maxPayloadBytes, problems);
  return problems;
}

function whole(field: string, value: unknown, least: number, most: number, problems: string[]): number {
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
  if (!fits)
    problems.push(
      `${field} must be a whole number from ${least} to ${most}, not ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`,
    );
  return Number(value);
}

function timeout(
  field: 'publishTimeoutMs' | 'handlerTimeoutMs' | 'drainTimeoutMs',
  value: unknown,
  problems: string[],
): number {
  return whole(field, value ?? DEFAULTS[field], 1, LONGEST_TIMER_MS, problems);
}

function levels(delaysMs: unknown, problems: string[]): readonly number[] {
  const list: unknown[] = Array.isArray(delaysMs) ? delaysMs : [];
  if (list.length === 0) problems.push('retryDelaysMs must be a list of at least one delay');
  const checked = list.map((delay, index) => whole(`retryDelaysMs[${index}]`, delay, 1, LONGEST_TIMER_MS, problems));
  const ascending = checked.every((delay, index) => index === 0 || delay > (checked[index - 1] ?? 0));
  if (!ascending) problems.push('retryDelaysMs must ascend, without repetition');
  return checked;
}

function refuse(subject: string, problems: string[]): void {
  if (problems.length > 0) throw new ConfigError(subject, problems);
}
