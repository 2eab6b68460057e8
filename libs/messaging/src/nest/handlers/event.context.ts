import type { BusEvent } from '../../bus/subscription';
import type { Task } from '../../tasks/task';
import { HandlerContext } from './handler.context';

/** An event as a handler gets it. */
export interface HandledEvent extends BusEvent {
  /** What it is in a durable subscription: its `id`, the `attempt`, the `signal` … Undefined in a temporary one. */
  readonly task?: Task;
}

/** What `@Ctx()` gives to the handler of an event. */
export class EventContext extends HandlerContext<HandledEvent> {
  get event(): HandledEvent {
    return this.getArgByIndex(0) as HandledEvent;
  }

  get pattern(): string {
    return this.event.key;
  }
}
