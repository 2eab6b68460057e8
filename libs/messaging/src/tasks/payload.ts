/** What a program may send in place of `Value`: what JSON carries as it is. Anything else is an error of the compiler that says so. */
export type Sendable<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : Value extends NotJson
    ? { readonly 'this does not arrive as it is sent: give what JSON has': Value }
    : Value extends readonly unknown[]
      ? { [Index in keyof Value]: Sendable<Value[Index]> }
      : Value extends object
        ? { [Field in keyof Value]: Sendable<Value[Field]> }
        : Value;

type NotJson =
  | bigint
  | symbol
  | Date
  | RegExp
  | Map<unknown, unknown>
  | Set<unknown>
  | Promise<unknown>
  | ArrayBuffer
  | ArrayBufferView
  | ((...args: never[]) => unknown);

/** A class whose fields say by class-validator and class-transformer what they may be. */
export type PayloadClass<Payload extends object = object> = new (...args: never[]) => Payload;

/** Any library's schema after the Standard Schema specification (https://standardschema.dev): zod, valibot, arktype and others. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface PayloadProblem {
  /** Where it is: a JSON pointer (RFC 6901). */
  pointer: string;
  message: string;
}

/** What was read of JSON: a payload, or why it is none. */
export type ReadPayload<Payload> =
  { readonly payload: Payload; readonly problems?: undefined } | { readonly problems: readonly PayloadProblem[] };

/** Reads what came as JSON. */
export type PayloadReader<Payload> = (json: unknown) => Promise<ReadPayload<Payload>>;

/** So many problems are named; of more there is a count. */
export const MOST_NAMED = 20;

export function readerOfSchema<Output>(schema: StandardSchema<unknown, Output>): PayloadReader<Output> {
  return async (json) => {
    const result = await schema['~standard'].validate(json);
    if (!result.issues) return { payload: result.value };
    return { problems: result.issues.map(({ message, path = [] }) => ({ pointer: pointerOf(path), message })) };
  };
}

function pointerOf(path: NonNullable<StandardIssue['path']>): string {
  const keys = path.map((step) => String(typeof step === 'object' ? step.key : step));
  return keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** For people, in one line. */
export function describeProblems(problems: readonly PayloadProblem[]): string {
  const named = problems.slice(0, MOST_NAMED).map(({ pointer, message }) => `${pointer || '/'}: ${message}`);
  const others = problems.length > MOST_NAMED ? [`and ${problems.length - MOST_NAMED} more`] : [];
  return `The payload is invalid: ${[...named, ...others].join('; ')}.`;
}
