import { ConfigError } from './errors';

export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function whole(field: string, value: unknown, least: number, most: number, problems: string[]): number {
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
  if (!fits)
    problems.push(
      `${field} must be a whole number from ${least} to ${most}, not ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`,
    );
  return Number(value);
}

/** A time in milliseconds that a timer can bear. */
export function timeout(field: string, value: unknown, problems: string[]): number {
  return whole(field, value, 1, LONGEST_TIMER_MS, problems);
}

export function checkName(
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

/** @throws ConfigError `CONFIG_INVALID`, with every problem, if there is one. */
export function refuse(subject: string, problems: string[]): void {
  if (problems.length > 0) throw new ConfigError(subject, problems);
}
