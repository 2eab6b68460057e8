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

export interface TaskContractOptions<Payload> {
  /** The work queue of these tasks. */
  queue: string;
  /** A class with class-validator's decorators, or a schema of any library that follows Standard Schema. */
  payload: Payload;
}

/**
 * What who puts a task and who handles it have in common: its type, its queue and its payload. Make it with `defineTask`.
 * @typeParam Sent what a sender gives. @typeParam Received what a handler gets.
 */
export class TaskContract<Sent extends object = object, Received = Sent> {
  /** Only for the compiler. */
  declare readonly types?: { readonly sent: Sent; readonly received: Received };

  constructor(
    readonly type: string,
    readonly queue: string,
    private readonly reader: PayloadReader<Received>,
  ) {}

  /** @throws InvalidMessageError `INVALID_PAYLOAD`, with a pointer to the first problem. */
  async checkSent(payload: unknown): Promise<void> {
    const { problems } = await this.reader(payload);
    if (problems) {
      throw new InvalidMessageError('INVALID_PAYLOAD', describeProblems(problems), {
        pointer: problems[0]?.pointer ?? '',
      });
    }
  }

  /** @throws DiscardTask `INVALID_PAYLOAD`: another attempt would read the same. */
  async receive(json: unknown): Promise<Received> {
    const read = await this.reader(json);
    if (read.problems) throw new DiscardTask(describeProblems(read.problems), { code: 'INVALID_PAYLOAD' });
    return read.payload;
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
  if (!isSchema(payload) && typeof payload !== 'function')
    problems.push('payload must be a class, or a schema that follows Standard Schema');
  refuse(`defineTask(${JSON.stringify(type)})`, problems);
  return new TaskContract<object, unknown>(
    type,
    queue,
    isSchema(payload) ? readerOfSchema(payload) : readerOfClass(payload),
  );
}

function isSchema(payload: unknown): payload is StandardSchema {
  // Schemas may be functions, too, as those of arktype.
  return (Object(payload) as Partial<StandardSchema>)['~standard'] !== undefined;
}
