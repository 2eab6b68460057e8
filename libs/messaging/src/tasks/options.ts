import { checkBroker, type BrokerOptions, type ResolvedBroker } from '../broker/options';
import { LONGEST_TIMER_MS, checkName, queueNameProblem, refuse, timeout, whole } from '../checks';
import type { TaskRunner } from './execution';
import type { KeyStore } from './key-store';
import { MOST_ATTEMPTS, type PostponeLimits, type RetryPolicy } from './retry-policy';

export const DEFAULTS = {
  capacity: 10,
  maxAttempts: 6,
  retryDelaysMs: [1_000, 10_000, 60_000, 600_000, 3_600_000],
  handlerTimeoutMs: 600_000,
  drainTimeoutMs: 25_000,
  publishTimeoutMs: 5_000,
  maxPayloadBytes: 1_048_576,
  idempotencyTtlMs: 86_400_000,
  postpone: { maxCount: 10_000, maxTotalMs: 30 * 86_400_000 },
} as const;

/** RabbitMQ 4 limits a message to 16 MiB (RabbitMQ docs, max_message_size). */
const LARGEST_PAYLOAD_BYTES = 16 * 1_048_576;
/** The protocol's prefetch count is a 16-bit number. */
const LARGEST_CAPACITY = 65_535;
const LONGEST_TTL_MS = 366 * 86_400_000;

/** Each is a queue. */
export const MOST_LEVELS = 20;

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
  /** How often, and for how long in all, a handler may postpone a task (`PostponeTask`). Default 10,000 times, 30 days. */
  postpone?: PostponeLimits;
  /** How long one attempt may take, in milliseconds. Default 600,000. */
  handlerTimeoutMs?: number;
  /** How long `stop` waits for running handlers, in milliseconds. Default 25,000. */
  drainTimeoutMs?: number;
  /** Whether each failure is told as a `problem`: `TASK_RETRIED`, `TASK_DEAD`. Default true. */
  logs?: boolean;
  /** Where it is remembered which tasks have succeeded, so that none of them is executed again. Default: nowhere. */
  keyStore?: KeyStore;
  /** How long it is remembered, in milliseconds. Default 24 h, at most 366 days. */
  idempotencyTtlMs?: number;
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
  readonly logs: boolean;
  readonly keyStore: KeyStore | undefined;
  readonly idempotencyTtlMs: number;
}

export type WorkerRules = Pick<
  ResolvedWorker,
  'queueName' | 'policy' | 'retryDelaysMs' | 'handlerTimeoutMs' | 'maxPayloadBytes'
>;

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveClient(options: WorkerClientOptions): ResolvedClient {
  const problems: string[] = [];
  const resolved = checkClient(options, problems);
  refuse('WorkerClient options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem. */
export function resolveWorker(options: WorkerOptions): ResolvedWorker {
  const problems: string[] = [];
  const client = checkClient(options, problems);
  const maxAttempts = whole('maxAttempts', options.maxAttempts ?? DEFAULTS.maxAttempts, 1, MOST_ATTEMPTS, problems);
  const postpone = postponeLimits(options.postpone ?? {}, problems);
  const ttlMs = options.idempotencyTtlMs ?? DEFAULTS.idempotencyTtlMs;
  const resolved = {
    ...client,
    capacity: whole('capacity', options.capacity ?? DEFAULTS.capacity, 1, LARGEST_CAPACITY, problems),
    policy: { maxAttempts, delaysMs: client.retryDelaysMs, postpone },
    handlerTimeoutMs: timeout('handlerTimeoutMs', options.handlerTimeoutMs ?? DEFAULTS.handlerTimeoutMs, problems),
    drainTimeoutMs: timeout('drainTimeoutMs', options.drainTimeoutMs ?? DEFAULTS.drainTimeoutMs, problems),
    logs: options.logs ?? true,
    keyStore: options.keyStore,
    idempotencyTtlMs: whole('idempotencyTtlMs', ttlMs, 1, LONGEST_TTL_MS, problems),
  };
  refuse('Worker options', problems);
  return resolved;
}

/** @throws ConfigError `CONFIG_INVALID`, with every problem of what a task type wants for itself. */
export function checkRunner(subject: string, runner: Omit<TaskRunner, 'run'> = {}): void {
  const problems: string[] = [];
  const { timeoutMs, maxAttempts, retryDelaysMs, postpone } = runner;
  if (timeoutMs !== undefined) whole('timeoutMs', timeoutMs, 1, LONGEST_TIMER_MS, problems);
  if (maxAttempts !== undefined) whole('maxAttempts', maxAttempts, 1, MOST_ATTEMPTS, problems);
  if (retryDelaysMs !== undefined) levels(retryDelaysMs, problems);
  if (postpone !== undefined) postponeLimits(postpone, problems);
  refuse(subject, problems);
}

/** What is wrong is added to `problems`. */
export function checkClient(options: WorkerClientOptions, problems: string[]): ResolvedClient {
  const bytes = options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes;
  return {
    ...checkBroker(options, problems),
    queueName: checkName('queueName', options.queueName, queueNameProblem, problems),
    publishTimeoutMs: timeout('publishTimeoutMs', options.publishTimeoutMs ?? DEFAULTS.publishTimeoutMs, problems),
    maxPayloadBytes: whole('maxPayloadBytes', bytes, 1, LARGEST_PAYLOAD_BYTES, problems),
    retryDelaysMs: levels(options.retryDelaysMs ?? DEFAULTS.retryDelaysMs, problems),
  };
}

function postponeLimits(given: unknown, problems: string[]): Required<PostponeLimits> {
  if (typeof given !== 'object' || given === null) {
    problems.push('postpone must be an object with maxCount or maxTotalMs');
    return DEFAULTS.postpone;
  }
  const {
    maxCount = DEFAULTS.postpone.maxCount,
    maxTotalMs = DEFAULTS.postpone.maxTotalMs,
    ...others
  } = given as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(others)) problems.push(`postpone has an unknown field ${JSON.stringify(name)}`);
  return {
    maxCount: whole('postpone.maxCount', maxCount, 0, MOST_ATTEMPTS, problems),
    maxTotalMs: whole('postpone.maxTotalMs', maxTotalMs, 0, LONGEST_TTL_MS, problems),
  };
}

export function levels(delaysMs: unknown, problems: string[]): readonly number[] {
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
