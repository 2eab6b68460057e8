import { inspect } from 'node:util';
import { causesOf, isError } from './causes';

/**
 * The base of every error that this library throws.
 * `code` is stable and made for programs; `message` is a sentence for people that says what to do; `cause` is kept.
 */
export class MercuryError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Options or environment that cannot work. Lists every problem, not only the first. Code `CONFIG_INVALID`. */
export class ConfigError extends MercuryError {
  constructor(
    subject: string,
    readonly problems: string[],
  ) {
    super('CONFIG_INVALID', `${subject}: ${problems.join('; ')}.`);
  }
}

/** A task or event that must not be sent as it is (body, id, type, key, headers or size). Nothing was sent. */
export class InvalidMessageError extends MercuryError {
  /** Of `BODY_INVALID`: where in the body, as a JSON pointer. */
  readonly pointer: string | undefined;

  constructor(code: string, message: string, options?: { cause?: unknown; pointer?: string }) {
    super(code, message, options);
    this.pointer = options?.pointer;
  }
}

/**
 * How a publish ended when it did not end confirmed:
 * `returned` no queue took it, `nacked` the broker refused it (queue full), `not-sent` it never left this process,
 * `unknown` it may or may not be stored: repeat it with the same id.
 */
export type PublishFailure = 'returned' | 'nacked' | 'not-sent' | 'unknown';

/** Codes `PUBLISH_RETURNED`, `PUBLISH_NACKED`, `PUBLISH_NOT_SENT`, `PUBLISH_UNKNOWN`. */
export class PublishError extends MercuryError {
  constructor(
    readonly outcome: PublishFailure,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(`PUBLISH_${outcome.toUpperCase().replace('-', '_')}`, message, options);
  }
}

/**
 * The broker cannot be used now: `BROKER_UNREACHABLE`, `BROKER_ACCESS_REFUSED`, `BROKER_TLS_FAILED`, `BROKER_BLOCKED`,
 * `BROKER_TOPOLOGY_MISMATCH`, `BROKER_TOPOLOGY_MISSING`, `BROKER_FRAME_TOO_SMALL`, `BROKER_CHANNEL_LOST`, `AMQPLIB_TOO_OLD`.
 */
export class BrokerError extends MercuryError {}

const HOPELESS = new Set([
  'BROKER_ACCESS_REFUSED',
  'BROKER_TLS_FAILED',
  'BROKER_TOPOLOGY_MISMATCH',
  'BROKER_TOPOLOGY_MISSING',
  'BROKER_FRAME_TOO_SMALL',
  'AMQPLIB_TOO_OLD',
]);

/** Whether it does not go away by itself: who waits for a start is told. */
export function isHopeless({ code }: MercuryError): boolean {
  return HOPELESS.has(code);
}

/**
 * Dead letters cannot be read or replayed now: `DEAD_LETTERS_BUSY` (another reader has the queue), `DEAD_QUEUE_MISSING`,
 * `ORIGIN_QUEUE_MISSING` (the letter stays), `DEAD_LETTERS_INVALID` (cursor, limit, rate, or nothing to discard by).
 */
export class DeadLetterError extends MercuryError {}

/** What went wrong on the broker, with its own words: an error of ours as it is, any other as a lost channel. */
export function brokerProblem(what: string, cause: unknown): MercuryError {
  if (cause instanceof MercuryError) return cause;
  const text = isError(cause) ? cause.message : String(cause);
  const refused = /ACCESS_REFUSED - ([^"]*)/.exec(text)?.[1];
  if (refused !== undefined) {
    return new BrokerError('BROKER_ACCESS_REFUSED', `${what}: ${withRight(refused, cause)}`, { cause });
  }
  const code = /PRECONDITION[-_]FAILED/.test(text) ? 'BROKER_TOPOLOGY_MISMATCH' : 'BROKER_CHANNEL_LOST';
  return new BrokerError(code, `${what}: ${text}`, { cause });
}

/** What each method of the protocol needs, by class and method (RabbitMQ docs, access control). Where it needs several, one of them is missing. */
const RIGHTS: Readonly<Record<string, string>> = {
  '40.10 exchange': 'configure, read or write',
  '50.10 queue': 'configure or read',
  '50.10 exchange': 'write',
  '50.20 queue': 'write',
  '50.20 exchange': 'read',
  '50.40 queue': 'configure',
  '60.20 queue': 'read',
  '60.40 exchange': 'write',
  '60.70 queue': 'read',
};

/** RabbitMQ 3.10 names the resource and not the right. */
function withRight(refused: string, cause: unknown): string {
  const resource = /^(?:(?:configure|read|write) )?access to (\w+) /.exec(refused)?.[1];
  if (resource === undefined) return `${refused}.`;
  const { classId, methodId } = cause as { classId?: number; methodId?: number };
  const right = refused.startsWith('access') ? RIGHTS[`${classId}.${methodId} ${resource}`] : undefined;
  return `${right === undefined ? '' : `${right} `}${refused}. An operator may grant it: rabbitmqctl set_permissions.`;
}

/** For what is asked of something after its `stop`. */
export function stopped(what: string): MercuryError {
  return new MercuryError('STOPPED', `The ${what} is stopped. Make a new one.`);
}

/** Throw it from a handler to end the task as a dead letter now, without another attempt. */
export class DiscardTask extends MercuryError {
  constructor(message: string, options?: { code?: string; cause?: unknown }) {
    super(options?.code ?? 'DISCARDED', message, options);
  }
}

/**
 * Throw it from a handler to have the task tried again, as long as attempts are left.
 * `delayMs` asks for at least that delay: the shortest retry level that is not shorter takes the task
 * (the longest one, if none is that long). Without it the attempt's own level is used.
 */
export class RetryTask extends MercuryError {
  readonly delayMs: number | undefined;

  constructor(message: string, options?: { delayMs?: number; code?: string; cause?: unknown }) {
    super(options?.code ?? 'RETRY_REQUESTED', message, options);
    this.delayMs = options?.delayMs;
  }
}

/**
 * Throw it from a handler to have the task executed later, without an attempt being counted: a lock is taken, or an API has had
 * enough. It waits as a delayed task does. Postponed more often or for longer in all than the worker's `postpone` allows, it is a failure
 * like any other, code `POSTPONED_TOO_LONG`.
 */
export class PostponeTask extends MercuryError {
  /**
   * @param delayMs how much later, in milliseconds, at most 30 days; 0 or less: behind all that waits now.
   * @param message why, for people. @param options `code`: why, for programs. Default `POSTPONED`.
   */
  constructor(
    readonly delayMs: number,
    message = 'The handler has postponed the task.',
    options?: { code?: string; cause?: unknown },
  ) {
    super(options?.code ?? 'POSTPONED', message, options);
  }
}

export const LONGEST_CODE = 255;
/** The broker limits a message's headers to one frame of 128 KiB (RabbitMQ docs, frame_max), and logs are for people. */
export const LONGEST_MESSAGE = 1_000;

/** What anything thrown says about itself, and about its causes: a code for programs and a message for people. Never throws. */
export function describeError(error: unknown): { code: string; message: string } {
  try {
    const code = error instanceof MercuryError ? String(error.code) : 'HANDLER_FAILED';
    return { code: code.slice(0, LONGEST_CODE), message: textOf(error).slice(0, LONGEST_MESSAGE) };
  } catch {
    return { code: 'HANDLER_FAILED', message: 'An error that cannot be described.' };
  }
}

function textOf(error: unknown): string {
  if (typeof error === 'string') return error;
  if (!isError(error)) return inspect(error, { breakLength: Infinity });
  const own = error instanceof MercuryError ? String(error.message) : fullTextOf(error);
  const causes = causesOf(error, own);
  // So that the causes have room, too.
  return causes === '' ? own : `${own.slice(0, LONGEST_MESSAGE / 2)} (${causes})`;
}

function fullTextOf({ name, message }: Error): string {
  return `${name}: ${String(message)}`;
}
