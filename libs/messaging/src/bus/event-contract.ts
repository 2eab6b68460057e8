import { nameProblem, refuse } from '../checks';
import { Contract, readerOf, type TaskContractOptions } from '../tasks/contract';
import { isShortString } from '../tasks/field-checks';
import type { PayloadClass, PayloadReader, StandardSchema } from '../tasks/payload';

export interface EventContractOptions<Payload> extends Omit<TaskContractOptions<Payload>, 'queue'> {
  /** The bus of these events. */
  bus: string;
}

/** Of an event: its key, its bus and its payload. Make it with `defineEvent`. */
export class EventContract<Sent extends object = object, Received = Sent> extends Contract<Sent, Received> {
  constructor(
    readonly key: string,
    readonly bus: string,
    reader: PayloadReader<Received>,
  ) {
    super(reader);
  }
}

/**
 * Defines the contract of an event: once, in a module that publishers and subscribers import. `bus.publish(contract, data)` and
 * `@OnBusEvent(contract)` are then checked by the compiler, and each event before it is published and before it is handled.
 *
 * @example
 * export const OrderPaid = defineEvent('order.paid', { bus: 'shop', payload: Order });
 * @param key at most 255 bytes, without wildcards.
 * @throws ConfigError `CONFIG_INVALID`. @throws MercuryError `PEER_MISSING`: a class needs class-validator and class-transformer.
 */
export function defineEvent<Payload extends object>(
  key: string,
  options: EventContractOptions<PayloadClass<Payload>>,
): EventContract<Payload>;
export function defineEvent<Input extends object, Output>(
  key: string,
  options: EventContractOptions<StandardSchema<Input, Output>>,
): EventContract<Input, Output>;
export function defineEvent(
  key: string,
  { bus, payload }: EventContractOptions<PayloadClass | StandardSchema>,
): EventContract<object, unknown> {
  const problems: string[] = [];
  if (!isShortString(key) || /[*#]/.test(key))
    problems.push('its key must be a string of at most 255 bytes, without * and #');
  const problem = nameProblem(bus);
  if (problem !== undefined) problems.push(`bus ${problem}`);
  const reader = readerOf(payload, problems);
  refuse(`defineEvent(${JSON.stringify(key)})`, problems);
  return new EventContract<object, unknown>(key, bus, reader);
}
