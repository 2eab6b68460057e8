import type { DurableSubscriptionOptions } from '../../bus/durable-subscription';
import { EventContract } from '../../bus/event-contract';
import { refuse } from '../../checks';
import { defineHandler } from './handler-definition';
import type { HandlerDecorator } from './task-handler.decorator';

/** How the events are heard. Without `durable`: whoever listens now, each replica every event. */
export interface OnBusEventOptions extends Partial<DurableSubscriptionOptions> {
  /** Default: the only bus of the application. */
  bus?: string;
}

/**
 * Makes a method of a provider or a controller hear events of a registered bus. `@Payload()` gives it the data, validated when its type is a
 * class with class-validator decorators; `@Ctx()` gives it the EventContext. Guards, pipes, interceptors and exception filters work as on any Nest handler.
 *
 * With `durable` the subscription has that name and keeps events while nobody runs; a method that throws is tried again as with a task, then the event
 * is a dead letter of that subscription. Without, what is published while the application is away is missed, and a method that throws is told.
 * @param pattern a key; on a topic bus `*` is one word and `#` any number of them.
 */
export function OnBusEvent(pattern: string, options?: OnBusEventOptions): MethodDecorator;
/** Makes a method hear the events of a contract. The compiler checks the first parameter; the data is checked before guards and pipes see it. */
export function OnBusEvent<Sent extends object, Received>(
  contract: EventContract<Sent, Received>,
  options?: Omit<OnBusEventOptions, 'bus'>,
): HandlerDecorator<Received>;
export function OnBusEvent(
  patternOrContract: string | EventContract<object, unknown>,
  { bus, durable, ...rules }: OnBusEventOptions = {},
): MethodDecorator {
  const contract = patternOrContract instanceof EventContract ? patternOrContract : undefined;
  const pattern = contract?.key ?? (patternOrContract as string);
  const decorator = `@OnBusEvent(${JSON.stringify(pattern)})`;
  const idle = durable === undefined ? Object.keys(rules) : [];
  const problem = `without "durable" nothing is tried again or shared, so there is no use for ${idle.join(', ')}`;
  return (target, name, descriptor) => {
    refuse(`${decorator} of ${target.constructor.name}.${String(name)}`, idle.length > 0 ? [problem] : []);
    defineHandler(
      {
        kind: 'event',
        decorator,
        pattern,
        bus: contract?.bus ?? bus,
        contract,
        durable: durable === undefined ? undefined : { ...rules, durable },
      },
      target,
      name,
      descriptor,
    );
  };
}
