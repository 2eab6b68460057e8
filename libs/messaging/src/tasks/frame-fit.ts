import { UnwritableError } from '../broker/field-table';
import { headerFrameBytes, type PublishProperties } from '../broker/frames';
import { HEADER } from '../headers';
import { MOST_CALLER_HEADER_BYTES, callerHeaderBytes, callerHeadersOf } from './caller-headers';
import { LEAST_HISTORY_BYTES, decodeHistory, encodeHistory } from './history';

type Headers = Record<string, unknown>;

/**
 * The properties of a message that is stored already, so far as they fit into a frame: the history shrinks, an error message is cut,
 * headers of a caller are left out. The protocol cannot split headers (AMQP 0-9-1, section 4.2.6).
 * @throws UnwritableError when even that is too large.
 */
export function fitStored(properties: PublishProperties, frameMax: number): PublishProperties {
  const mostOfCaller = mostOfCallerBytes(properties, frameMax);
  let headers = (properties.headers ?? {}) as Headers;
  if (callerHeaderBytes(headers) > mostOfCaller) headers = withCallersOf(headers, mostOfCaller);
  const excess = headerFrameBytes({ ...properties, headers }) - frameMax;
  if (excess > 0) headers = shortened(headers, excess);
  return checked({ ...properties, headers }, frameMax);
}

/** Those of a new message, of which nothing may stay behind. @throws UnwritableError when they leave no room for what is to come. */
export function fitNew(properties: PublishProperties, frameMax: number): PublishProperties {
  const mostOfCaller = mostOfCallerBytes(properties, frameMax);
  const ofCaller = callerHeaderBytes((properties.headers ?? {}) as Headers);
  if (ofCaller <= mostOfCaller) return checked(properties, frameMax);
  throw new UnwritableError(`the headers take ${ofCaller} bytes; on this connection at most ${mostOfCaller} fit.`);
}

/** Half of a frame is for what Mercury writes. */
function mostOfCallerBytes({ correlationId = '', replyTo = '' }: PublishProperties, frameMax: number): number {
  const besides = Buffer.byteLength(correlationId) + Buffer.byteLength(replyTo);
  return Math.min(MOST_CALLER_HEADER_BYTES, Math.floor(frameMax / 2) - besides);
}

function checked(properties: PublishProperties, frameMax: number): PublishProperties {
  const bytes = headerFrameBytes(properties);
  if (bytes > frameMax) throw new UnwritableError(`the headers take ${bytes} bytes; a frame has ${frameMax}.`);
  return properties;
}

function withCallersOf(headers: Headers, mostBytes: number): Headers {
  const kept = callerHeadersOf(headers, mostBytes);
  const ours = Object.values(HEADER).flatMap((name) => (name in headers ? [[name, headers[name]] as const] : []));
  return { ...Object.fromEntries(ours), ...kept };
}

/** Without so many bytes: of the history as much as it can spare, then of the message, which is there in the history, too. */
function shortened(headers: Headers, excess: number): Headers {
  const { [HEADER.history]: history, [HEADER.errorMessage]: message } = headers;
  const short = { ...headers };
  let left = excess;
  if (typeof history === 'string') {
    const bytes = Buffer.byteLength(history);
    const spared = Math.max(0, Math.min(left, bytes - LEAST_HISTORY_BYTES));
    short[HEADER.history] = encodeHistory(decodeHistory(history), bytes - spared);
    left -= spared;
  }
  if (typeof message === 'string' && left > 0) {
    short[HEADER.errorMessage] = cut(message, Buffer.byteLength(message) - left);
  }
  return short;
}

/** Its beginning of at most so many bytes. */
function cut(text: string, mostBytes: number): string {
  const bytes = Buffer.from(text).subarray(0, Math.max(0, mostBytes));
  // A character that was cut through becomes a longer one.
  return bytes.toString().replace(/\ufffd*$/, '');
}
