import { MercuryError } from '../errors';
import { printable } from '../json-text';
import { THIS_PROCESS } from '../this-process';
import type { SettledAttempt } from './events';

/**
 * What is said of a failure, in one line: `TASK_RETRIED` when the task comes again, `TASK_DEAD` when it does not. Undefined for what is
 * none. The message of a failure has its causes.
 */
export function failureLine({ id, type, queue, attempt, outcome }: SettledAttempt): MercuryError | undefined {
  if (outcome.kind !== 'retry' && outcome.kind !== 'dead') return undefined;
  const { code, message } = outcome.failure;
  const isDead = outcome.kind === 'dead';
  const what = isDead
    ? code === 'EXPIRED'
      ? `is dead before attempt ${attempt}`
      : `is dead after attempt ${attempt}`
    : `failed at attempt ${attempt}, and comes again in ${outcome.levelMs / 1_000} s`;
  const text = `Task "${type}" ${id} of queue "${queue}" ${what} (worker ${THIS_PROCESS}): ${code}: ${message}`;
  return new MercuryError(isDead ? 'TASK_DEAD' : 'TASK_RETRIED', printable(text));
}
