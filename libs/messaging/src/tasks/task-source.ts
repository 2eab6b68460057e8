import type { Connection } from '../broker/connection';
import type { Delivery } from '../broker/deliveries';

/** Where else the messages of a work queue come from. Without one: from those who put tasks. */
export interface TaskSource {
  /** Binds the queue to it. Called each time that the queue is declared. */
  bind(connection: Connection): Promise<void>;
  /** A delivery as a worker can take it: with an id, a type and headers of a task. Called before anything else looks at it. */
  received(delivery: Delivery): Delivery;
}
