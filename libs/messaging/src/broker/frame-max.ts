import { BrokerError } from '../errors';

/**
 * Half of it for the headers of callers, half for ours: a history of two attempts, an error, ids and times. RabbitMQ 4.1 and later
 * want as much by themselves.
 */
export const LEAST_FRAME_BYTES = 8_192;

/** @throws BrokerError `BROKER_FRAME_TOO_SMALL`: what the protocol cannot split, headers, would not fit. */
export function checkFrameMax(frameMax: number | undefined): void {
  if (frameMax === undefined || frameMax >= LEAST_FRAME_BYTES) return;
  const message =
    `The frames of this connection have ${frameMax} bytes, and headers of tasks need ${LEAST_FRAME_BYTES}: ` +
    'raise frameMax of rabbitUrl, or frame_max of the broker.';
  throw new BrokerError('BROKER_FRAME_TOO_SMALL', message);
}
