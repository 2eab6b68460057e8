import { bodyOf } from './body';

/** What is posted: a task that the producer knows, of 256 bytes. */
export const HTTP_TASK = {
  type: 'webhook.deliver',
  payload: { url: 'https://example.com/hooks/orders', event: 'order.paid', data: bodyOf(144) },
};

/** The same rules as the producer's own, for the servers that it is compared with. */
export const HTTP_TASK_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'payload'],
  properties: {
    type: { type: 'string', enum: ['webhook.deliver'] },
    id: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
    queue: { type: 'string', minLength: 1, maxLength: 200 },
    delayMs: { type: 'integer', minimum: 0, maximum: 2_592_000_000 },
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['url', 'event', 'data'],
      properties: {
        url: { type: 'string', pattern: '^https?://[^/@]+', maxLength: 2_048 },
        event: { type: 'string', minLength: 1, maxLength: 255 },
        data: { type: 'object' },
      },
    },
  },
};
