import type { PublishFailure } from '../errors';
import type { ConnectionEvents } from '../events';

export interface ClientEvents extends ConnectionEvents {
  /** Once per publish. `outcome` is `confirmed` or why not. */
  published: [outcome: 'confirmed' | PublishFailure, durationMs: number];
}
