import { fieldBytes } from '../broker/field-table';
import { InvalidMessageError } from '../errors';
import { HEADER } from '../headers';

/** Headers that a caller gives a task, by name: they travel with it as long as it lives. */
export type CallerHeaders = Readonly<Record<string, string | number | boolean>>;

/** Of all that a caller gives one message. */
export const MOST_CALLER_HEADER_BYTES = 8_192;
const LONGEST_NAME_BYTES = 255;

const OURS: ReadonlySet<string> = new Set(Object.values(HEADER));
/** RabbitMQ routes by the first two, writes the others, and brokers up to 3.13 may take a queue that is listed there for a cycle. */
const OF_THE_BROKER = /^(CC|BCC|x-(death|first-death-.*|last-death-.*|delivery-count|acquired-count|received-from))$/;

/**
 * Everything is checked before it is sent: what the broker refuses closes the channel, or the connection with all that is on it.
 * @throws InvalidMessageError with this code.
 */
export function checkCallerHeaders(headers: CallerHeaders, code: 'TASK_INVALID' | 'EVENT_INVALID'): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers as Readonly<Record<string, unknown>>)) {
    const problem = problemOf(name, value, code === 'TASK_INVALID' ? isOfCaller : isNoCopy);
    if (problem) throw new InvalidMessageError(code, `Header ${JSON.stringify(name.slice(0, 100))} ${problem}.`);
    bytes += fieldBytes(name, value);
  }
  if (bytes <= MOST_CALLER_HEADER_BYTES) return;
  const message = `The headers take ${bytes} bytes; the limit is ${MOST_CALLER_HEADER_BYTES}. Put them into the body.`;
  throw new InvalidMessageError(code, message);
}

function problemOf(name: string, value: unknown, isFree: (name: string) => boolean): string | undefined {
  if (!isFree(name)) return "must have another name: this one is Mercury's or RabbitMQ's own";
  if (name === '' || Buffer.byteLength(name) > LONGEST_NAME_BYTES) return 'must have a name of 1 to 255 bytes';
  const fits = typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
  return fits ? undefined : 'must be a string, a boolean or a finite number';
}

/** Of what arrived, that which travels on: in its order as long as there is room, and how many were left out. */
export function callerHeadersOf(
  headers: Readonly<Record<string, unknown>>,
  mostBytes: number,
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  const before = headers[HEADER.omittedHeaders];
  let omitted = Number.isSafeInteger(before) && Number(before) > 0 ? Number(before) : 0;
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!isOfCaller(name)) continue;
    const size = bytesOf(name, value);
    if (bytes + size > mostBytes) {
      omitted += 1;
      continue;
    }
    bytes += size;
    kept[name] = value;
  }
  return omitted > 0 ? { ...kept, [HEADER.omittedHeaders]: omitted } : kept;
}

/** So many bytes those of a caller take. */
export function callerHeaderBytes(headers: Readonly<Record<string, unknown>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) if (isOfCaller(name)) bytes += bytesOf(name, value);
  return bytes;
}

function isOfCaller(name: string): boolean {
  return !OURS.has(name) && !OF_THE_BROKER.test(name);
}

/** An event may be passed on with the headers that it brought. */
function isNoCopy(name: string): boolean {
  return name !== 'CC' && name !== 'BCC';
}

/** Infinite for what cannot be written. */
function bytesOf(name: string, value: unknown): number {
  try {
    return fieldBytes(name, value);
  } catch {
    return Infinity;
  }
}
