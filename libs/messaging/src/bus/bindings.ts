import { InvalidMessageError } from '../errors';
import { checkCallerHeaders, type CallerHeaders } from '../tasks/caller-headers';

/** One reason to receive an event: a key or pattern, or for a headers bus the headers with `x-match`. */
export interface Binding {
  key?: string;
  headers?: Readonly<Record<string, string | number | boolean>>;
}

/** The first that is a pattern on a topic bus. */
export function patternOf(bindings: readonly Binding[]): string | undefined {
  return bindings.find(({ key = '' }) => /(^|\.)[*#](\.|$)/.test(key))?.key;
}

/** What is the same binding has the same name here, wherever it stands. */
export function namesOf(bindings: readonly Binding[]): string[] {
  return bindings.map(({ key = '', headers = {} }) => JSON.stringify([key, Object.entries(headers).sort()])).sort();
}

/**
 * Of a binding or an event. Refused by the broker they would close the channel, or the connection with all that is on it.
 * @throws InvalidMessageError `EVENT_INVALID`.
 */
export function checkRouting(key: unknown, headers: CallerHeaders = {}): void {
  if (typeof key !== 'string' || Buffer.byteLength(key) > 255) {
    throw new InvalidMessageError('EVENT_INVALID', 'A key is a string of at most 255 bytes.');
  }
  checkCallerHeaders(headers, 'EVENT_INVALID');
}
