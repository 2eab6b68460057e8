import { queueNameProblem, refuse } from '../checks';
import { DiscardTask, InvalidMessageError } from '../errors';
import { readerOfClass } from './class-payload';
import { isTaskType } from './codec';
import {
  describeProblems,
  readerOfSchema,
  type PayloadClass,
  type PayloadReader,
  type StandardSchema,
} from './payload';
import { payloadOf, type JsonObject } from './task';

export interface TaskContractOptions<Payload> {
  /** The work queue of these tasks. */
  queue: string;
  /** A class with class-validator's decorators, or a schema of any library that follows Standard Schema. */
  payload: Payload;
}

/**
 * What a program that sends has in common with one that receives.
 * @typeParam Sent what a sender gives. @typeParam Received what a handler gets.
 */
export abstract class Contract<Sent extends object = object, Received = Sent> {
  /** Only for the compiler. */
  declare readonly types?: { readonly sent: Sent; readonly received: Received };

  constructor(protected readonly reader: PayloadReader<Received>) {}

  /** @throws InvalidMessageError `INVALID_PAYLOAD`, with a pointer to the first problem. */
  async checkSent(payload: unknown): Promise<void> {
    const { problems } = await this.reader(payload);
    if (!problems) return;
    const pointer = problems[0]?.pointer ?? '';
    throw new InvalidMessageError('INVALID_PAYLOAD', describeProblems(problems), { pointer });
  }

  /** @throws DiscardTask `INVALID_PAYLOAD`: another attempt would read the same. */
  async receive(json: unknown): Promise<Received> {
    const read = await this.reader(json);
    if (read.problems) throw new DiscardTask(describeProblems(read.problems), { code: 'INVALID_PAYLOAD' });
    return read.payload;
  }
}

/** What a sender of a contract gives: `Sent<typeof InvoiceRun>`. */
export type Sent<C extends { readonly types?: unknown }> =
  NonNullable<C['types']> extends { readonly sent: infer Payload } ? Payload : never;

/** What a handler of a contract gets: `Received<typeof InvoiceRun>`. */
export type Received<C extends { readonly types?: unknown }> =
  NonNullable<C['types']> extends {
    readonly received: infer Payload;
  }
    ? Payload
    : never;

/** Of a task: its type, its queue and its payload. Make it with `defineTask`. */
export class TaskContract<Sent extends object = object, Received = Sent> extends Contract<Sent, Received> {
  constructor(
    readonly type: string,
    readonly queue: string,
    reader: PayloadReader<Received>,
  ) {
    super(reader);
  }

  /**
   * The payload of a task. A field `type` that says what the task's type is may be the payload's own, or be there for who puts bare JSON: the
   * contract knows.
   * @throws DiscardTask `INVALID_PAYLOAD`.
   */
  async receiveFrom(task: { type: string; body: JsonObject }): Promise<Received> {
    const payload = payloadOf(task);
    if (payload === task.body) return this.receive(payload);
    const whole = await this.reader(task.body);
    return whole.problems ? this.receive(payload) : whole.payload;
  }
}

/**
 * Defines a contract: once, in a module that senders and handlers import. `TaskClient.put(contract, payload)` and
 * `@TaskHandler(contract)` are then checked by the compiler, and each payload before it is sent and before it is handled.
 *
 * @example
 * export const InvoiceRun = defineTask('invoice.run', { queue: 'invoices', payload: Invoice });
 * @param type of its tasks, 1 to 255 bytes.
 * @throws ConfigError `CONFIG_INVALID`. @throws MercuryError `PEER_MISSING`: a class needs class-validator and class-transformer.
 */
export function defineTask<Payload extends object>(
  type: string,
  options: TaskContractOptions<PayloadClass<Payload>>,
): TaskContract<Payload>;
export function defineTask<Input extends object, Output>(
  type: string,
  options: TaskContractOptions<StandardSchema<Input, Output>>,
): TaskContract<Input, Output>;
export function defineTask(
  type: string,
  { queue, payload }: TaskContractOptions<PayloadClass | StandardSchema>,
): TaskContract<object, unknown> {
  const problems: string[] = [];
  if (!isTaskType(type)) problems.push('its type must be a string of 1 to 255 bytes');
  const problem = queueNameProblem(queue);
  if (problem !== undefined) problems.push(`queue ${problem}`);
  const reader = readerOf(payload, problems);
  refuse(`defineTask(${JSON.stringify(type)})`, problems);
  return new TaskContract<object, unknown>(type, queue, reader);
}

/** What is wrong is added to `problems`. @throws MercuryError `PEER_MISSING`. */
export function readerOf(payload: unknown, problems: string[]): PayloadReader<unknown> {
  if (isSchema(payload)) return readerOfSchema(payload);
  if (typeof payload === 'function') return readerOfClass(payload as PayloadClass);
  problems.push('payload must be a class, or a schema that follows Standard Schema');
  return async () => ({ problems: [] });
}

function isSchema(payload: unknown): payload is StandardSchema {
  // Schemas may be functions, too, as those of arktype.
  return (Object(payload) as Partial<StandardSchema>)['~standard'] !== undefined;
}
