import { readBrokerUrl } from '../broker/broker-url';
import type { Connections } from '../broker/connection';
import { ConfigError } from '../errors';
import type { TaskRunner } from './execution';
import type { KeyStore } from './key-store';
import { MOST_ATTEMPTS, type RetryPolicy } from './retry-policy';
import { schedulesOf, type Schedule, type ScheduleOptions } from '../schedules/schedule';
import { checkTls, type TlsOptions } from '../broker/tls';

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

/** Each is a queue. */
export const MOST_LEVELS = 20;

/** Where the broker is: a URL (or several, for a cluster), or connections that somebody else owns. */
export interface BrokerOptions {
  rabbitUrl?: string | readonly string[];
  /** For amqps:// URLs. Default: what Node.js trusts, and no certificate of one's own. */
  tls?: TlsOptions;
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
  readonly tls: TlsOptions | undefined;
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
    queueName: checkName('queueName', options.queueName, queueNameProblem, problems),
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
    name: checkName('name', options.name, nameProblem, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs, problems),
  };
  refuse('Event bus options', problems);
  return resolved;
}

function clientOf(options: WorkerClientOptions, problems: string[]): ResolvedClient {
  const bytes = options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes;
  return {
    ...brokerOf(options, problems),
    queueName: checkName('queueName', options.queueName, queueNameProblem, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs, problems),
    maxPayloadBytes: whole('maxPayloadBytes', bytes, 1, LARGEST_PAYLOAD_BYTES, problems),
    retryDelaysMs: levels(options.retryDelaysMs ?? DEFAULTS.retryDelaysMs, problems),
  };
}

function brokerOf(options: BrokerOptions, problems: string[]): ResolvedBroker {
  if (options.connections) return { urls: [], tls: undefined, connections: options.connections };
  const given: readonly unknown[] = Array.isArray(options.rabbitUrl) ? options.rabbitUrl : [options.rabbitUrl];
  const urls = given.flatMap((url) => (typeof url === 'string' ? url.split(',') : [])).map((url) => url.trim());
  if (urls.length === 0) problems.push('rabbitUrl is missing: give a URL such as amqp://user:password@host:5672');
  const ofUrls: string[] = [];
  for (const url of urls) readBrokerUrl(url, ofUrls);
  problems.push(...new Set(ofUrls));
  checkTls(options.tls, ofUrls.length === 0 ? urls : [], problems);
  return { urls, tls: options.tls, connections: undefined };
}

function checkName(
  field: string,
  name: unknown,
  problemOf: (name: unknown) => string | undefined,
  problems: string[],
): string {
  const problem = problemOf(name);
  if (problem !== undefined) problems.push(`${field} ${problem}`);
  return String(name);
}

/**
 * What is wrong with the name of an exchange, behind the words that say whose it is. At most 255 bytes in AMQP, of which the suffixes of our own
 * queues need some.
 */
export function nameProblem(name: unknown): string | undefined {
  const fits = typeof name === 'string' && name.length > 0 && Buffer.byteLength(name) <= 200;
  if (!fits) return 'must be a name of 1 to 200 bytes';
  if (/^(amq|mercury)\./.test(name)) {
    return 'must not start with "amq." or "mercury.", which RabbitMQ and Mercury keep for themselves';
  }
  return /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(name) ? 'must not have control characters' : undefined;
}

const OWN_SUFFIX = /\.(dead|dead\.reader|suspect|due|schedule|high|(retry|delay)\.\d+)$/;

/** The same of a work queue: one that ends like its own queues would share them with another. */
export function queueNameProblem(name: unknown): string | undefined {
  const suffix = OWN_SUFFIX.exec(String(name))?.[0];
  return nameProblem(name) ?? (suffix && `must not end in "${suffix}", which is for Mercury's own queues`);
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
  if (list.length === 0 || list.length > MOST_LEVELS) {
    problems.push(`retryDelaysMs must be a list of 1 to ${MOST_LEVELS} delays`);
    return DEFAULTS.retryDelaysMs;
  }
  const checked = list.map((delay, index) => whole(`retryDelaysMs[${index}]`, delay, 1, LONGEST_TIMER_MS, problems));
  const ascending = checked.every((delay, index) => index === 0 || delay > (checked[index - 1] ?? 0));
  if (!ascending) problems.push('retryDelaysMs must ascend, without repetition');
  return checked;
}

function refuse(subject: string, problems: string[]): void {
  if (problems.length > 0) throw new ConfigError(subject, problems);
}
