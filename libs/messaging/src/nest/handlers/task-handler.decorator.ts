import { TaskContract } from '../../tasks/contract';
import { defineHandler, type TaskRules } from './handler-definition';

/** How tasks of a type are attempted, and of which queue they are. */
export interface TaskHandlerOptions extends TaskRules {
  /** Default: the only queue of the application. */
  queue?: string;
}

/** For a method whose first parameter, if it has one, takes the payload. */
export type HandlerDecorator<Payload> = <Method extends (...args: never[]) => unknown>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & Taking<Method, Payload>,
) => void;

/** Also where the compiler is not strict, and would let a parameter be more than it is given. */
type Taking<Method extends (...args: never[]) => unknown, Payload> =
  Parameters<Method> extends [infer First, ...unknown[]]
    ? [Payload] extends [First]
      ? unknown
      : { readonly 'the first parameter must take the payload of the contract': Payload }
    : unknown;

/**
 * Makes a method of a provider or a controller the handler of one task type. It starts with the application. `@Payload()` gives the method
 * the payload, validated when its type is a class with class-validator decorators; `@Ctx()` gives it the TaskContext. Guards, pipes,
 * interceptors and exception filters work as on any Nest handler.
 *
 * Return: success. Throw `DiscardTask`: dead letter now. Throw `PostponeTask`: later, and no attempt. Throw `RetryTask` or anything
 * else: another attempt, as long as there are any. A payload that fails validation is a dead letter at once, code `INVALID_PAYLOAD`. An
 * exception filter may throw `DiscardTask`, `RetryTask` or `PostponeTask` to decide what follows a failure; whatever else it does, the attempt has failed. An
 * interceptor that answers without calling the handler has done the task's work: that is a success.
 */
export function TaskHandler(type: string, options?: TaskHandlerOptions): MethodDecorator;
/**
 * Makes a method the handler of a contract, of its queue. The compiler checks the first parameter; the payload is checked before guards
 * and pipes see it.
 */
export function TaskHandler<Sent extends object, Received>(
  contract: TaskContract<Sent, Received>,
  options?: TaskRules,
): HandlerDecorator<Received>;
export function TaskHandler(
  typeOrContract: string | TaskContract<object, unknown>,
  { queue, ...rules }: TaskHandlerOptions = {},
): MethodDecorator {
  const contract = typeOrContract instanceof TaskContract ? typeOrContract : undefined;
  const type = contract?.type ?? (typeOrContract as string);
  return (target, name, descriptor) =>
    defineHandler(
      {
        kind: 'task',
        decorator: `@TaskHandler(${JSON.stringify(type)})`,
        type,
        queue: contract?.queue ?? queue,
        contract,
        rules,
      },
      target,
      name,
      descriptor,
    );
}
