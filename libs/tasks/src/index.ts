import { SleepPayload } from './sleep.payload';
import { WebhookPayload } from './webhook.payload';

/**
 * The task types of this system with their payloads: what the producer accepts and the consumer executes. Your own
 * types go here, and their handlers into apps/consumer/src/tasks.
 */
export const TASK_PAYLOADS = {
  'webhook.deliver': WebhookPayload,
  sleep: SleepPayload,
} as const;

export type TaskType = keyof typeof TASK_PAYLOADS;

export { SleepPayload, WebhookPayload };
