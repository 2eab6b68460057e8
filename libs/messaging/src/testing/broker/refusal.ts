/** What the broker refuses: it closes the channel with this code and text (AMQP 0-9-1, reply codes). */
export class Refusal extends Error {
  constructor(
    readonly code: 403 | 404 | 405 | 406,
    text: string,
  ) {
    super(`${NAMES[code]} - ${text}`);
  }
}

const NAMES = {
  403: 'ACCESS_REFUSED',
  404: 'NOT_FOUND',
  405: 'RESOURCE_LOCKED',
  406: 'PRECONDITION_FAILED',
} as const;
