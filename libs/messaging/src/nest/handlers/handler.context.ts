import { BaseRpcContext } from '@nestjs/microservices';
import type { HandlerCall } from './handler-call';

/** What a context knows of the call that it was made for. */
export const CALL = Symbol('mercury.call');

/** What `@Ctx()` gives to a handler, and what guards and interceptors find with `switchToRpc().getContext()`. */
export abstract class HandlerContext<Subject extends object> extends BaseRpcContext<[Subject]> {
  /** Undefined where somebody else has made the context, such as a test of a handler. */
  [CALL]: HandlerCall | undefined;

  /** For tests of handlers; in an application Nest has made it by then. */
  constructor(subject: Subject) {
    super([subject]);
  }

  /** The task's type or the event's key. */
  abstract get pattern(): string;
}
