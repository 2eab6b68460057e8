import { MOST_CALLER_HEADER_BYTES, callerHeaderBytes, callerHeadersOf } from '../tasks/caller-headers';
import { BrokerError } from '../errors';
import { UnwritableError } from './field-table';
import { headerFrameBytes, type PublishProperties } from './frames';
import { LEAST_HISTORY_BYTES, decodeHistory, encodeHistory } from '../tasks/history';
import { HEADER } from '../tasks/task';

/**
 * Half of it for the headers of callers, half for ours: a history of two attempts, an error, ids and times. RabbitMQ 4.1 and later
 * want as much by themselves.
 */
export const LEAST_FRAME_BYTES = 8_192;

type Headers = Record<string, unknown>;

/** @throws BrokerError `BROKER_FRAME_TOO_SMALL`: what the protocol cannot split, headers, would not fit. */
export function checkFrameMax(frameMax: number | undefined): void {
  if (frameMax === undefined || frameMax >= LEAST_FRAME_BYTES) return;
  const message =
    `The frames of this connection have ${frameMax} bytes, and headers of tasks need ${LEAST_FRAME_BYTES}: ` +
    'raise frameMax of rabbitUrl, or frame_max of the broker.';
  throw new BrokerError('BROKER_FRAME_TOO_SMALL', message);
}

/**
 * What of these properties fits into one frame: the protocol cannot split headers (AMQP 0-9-1, section 4.2.6). Of a message that is
 * stored already, part of it stays behind: the history shrinks, an error message is cut, headers of a caller are left out.
 * @param mayShed whether it is stored already. A new one is refused instead.
 * @throws UnwritableError
 */
export function fittedTo(frameMax: number, properties: PublishProperties, mayShed: boolean): PublishProperties {
  const { correlationId = '', replyTo = '' } = properties;
  const besides = Buffer.byteLength(correlationId) + Buffer.byteLength(replyTo);
  const mostOfCaller = Math.min(MOST_CALLER_HEADER_BYTES, Math.floor(frameMax / 2) - besides);
  let headers = (properties.headers ?? {}) as Headers;
  const ofCaller = callerHeaderBytes(headers);
  if (ofCaller > mostOfCaller) {
    if (!mayShed)
      throw new UnwritableError(`the headers take ${ofCaller} bytes; on this connection at most ${mostOfCaller} fit.`);
    headers = withCallersOf(headers, mostOfCaller);
  }
  const size = () => headerFrameBytes({ ...properties, headers });
  if (mayShed && size() > frameMax) headers = shortened(headers, size() - frameMax);
  const bytes = size();
  if (bytes > frameMax) throw new UnwritableError(`the headers take ${bytes} bytes; a frame has ${frameMax}.`);
  return { ...properties, headers };
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
