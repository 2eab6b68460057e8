import { MercuryError } from '../errors';

/** How long a broker waits for an ack unless configured otherwise (RabbitMQ docs, consumer_timeout). */
const BROKER_ACK_TIMEOUT_MS = 1_800_000;
/** What a task may take beyond its handler's time, to be settled. */
const SETTLING_MS = 60_000;

/** What a worker tells the broker, from RabbitMQ 3.12 on: how long its tasks may be unacknowledged, in milliseconds. */
export function ackTimeoutMs(longestHandlerMs: number): number {
  return Math.max(BROKER_ACK_TIMEOUT_MS, longestHandlerMs + SETTLING_MS);
}

/** How long a handler may take at most, so that a worker which was told of that one keeps what it has told the broker. */
export function longestTaskMs(longestHandlerMs: number): number {
  return ackTimeoutMs(longestHandlerMs) - SETTLING_MS;
}

/** The broker does not tell its setting: what can be said is that its default does not fit. Undefined when it does. */
export function ackTimeoutProblem(longestHandlerMs: number): MercuryError | undefined {
  if (longestHandlerMs < BROKER_ACK_TIMEOUT_MS) return undefined;
  const message =
    `A handler may take ${longestHandlerMs} ms, but unless configured otherwise RabbitMQ takes a task away that is not ` +
    `acknowledged within ${BROKER_ACK_TIMEOUT_MS} ms. Set consumer_timeout = ${longestHandlerMs + SETTLING_MS} in ` +
    `rabbitmq.conf, or a shorter timeout.`;
  return new MercuryError('ACK_TIMEOUT_SHORTER', message);
}
