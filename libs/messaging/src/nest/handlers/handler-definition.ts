import { ENTRY_PROVIDER_WATERMARK } from '@nestjs/common/constants';
import { Payload } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum';
import { RpcParamsFactory } from '@nestjs/microservices/factories/rpc-params-factory';
import { isObservable, catchError, throwError } from 'rxjs';
import type { DurableSubscriptionOptions } from '../../bus/durable-subscription';
import type { EventContract } from '../../bus/event-contract';
import { refuse } from '../../checks';
import { ConfigError } from '../../errors';
import type { ScheduleOptions } from '../../schedules/schedule';
import { isTaskType } from '../../tasks/codec';
import type { TaskContract } from '../../tasks/contract';
import type { TaskRunner } from '../../tasks/execution';
import { isShortString } from '../../tasks/field-checks';
import { HandlerCall } from './handler-call';
import { CALL, type HandlerContext } from './handler.context';
import { PayloadPipe } from './payload.pipe';

/** How tasks of this type are attempted. Defaults: those of the queue. */
export type TaskRules = Omit<TaskRunner, 'run'>;

interface Definition {
  /** As it stands in the source. */
  readonly decorator: string;
}

/** Which tasks a method executes. */
export interface TaskDefinition extends Definition {
  readonly kind: 'task';
  readonly type: string;
  /** Undefined: the only queue that the application has. */
  readonly queue: string | undefined;
  readonly contract: TaskContract<object, unknown> | undefined;
  readonly rules: TaskRules;
  /** At which times tasks of the type are put, if the method says so itself. */
  readonly schedule?: Pick<ScheduleOptions, 'name' | 'cron' | 'timeZone' | 'missed'>;
}

/** Which events a method hears. */
export interface EventDefinition extends Definition {
  readonly kind: 'event';
  readonly pattern: string;
  /** Undefined: the only bus that the application has. */
  readonly bus: string | undefined;
  readonly contract: EventContract<object, unknown> | undefined;
  /** Undefined for a temporary subscription. */
  readonly durable: DurableSubscriptionOptions | undefined;
}

/** What a decorator says of a method. */
export type HandlerDefinition = TaskDefinition | EventDefinition;

const DEFINITIONS = Symbol('mercury.handlers');

const NO_CONTRACT =
  'undefined is a contract whose module imports this one, too, and an object one of another copy of this package';

/** Of a method, before Nest makes anything of it. */
export function definitionsOf(method: object): readonly HandlerDefinition[] {
  return (Reflect.getOwnMetadata(DEFINITIONS, method) as HandlerDefinition[] | undefined) ?? [];
}

/** All classes that have a handler, wherever they are used: one that is in no module is told. */
export const classesWithHandlers = new Set<abstract new (...args: never[]) => unknown>();

/** The type of a parameter that Nest does not know, behind those of the method: its HandlerCall. */
const CALL_PARAM = 90;

interface ParamMetadata {
  index: number;
  pipes: unknown[];
}

/**
 * Makes a method a handler.
 * @throws ConfigError `CONFIG_INVALID` on what is no method of instances.
 */
export function defineHandler(
  definition: HandlerDefinition,
  target: object,
  name: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): void {
  const isMethod = typeof descriptor?.value === 'function' && typeof target !== 'function' && typeof name === 'string';
  if (!isMethod) {
    const owner = typeof target === 'function' ? target.name : target.constructor.name;
    throw new ConfigError(definition.decorator, [`${owner}.${String(name)} is no method of its instances`]);
  }
  const place = `${definition.decorator} of ${target.constructor.name}.${name}`;
  refuse(place, problemsOf(definition));
  const known = definitionsOf(descriptor.value as object);
  const definitions = [...known, definition];
  const isChecked = definitions.some(({ contract }) => !contract);
  if (isChecked && isTypeOnly(target, name)) {
    const problem = `its payload cannot be checked: the compiler has left out its class, as with "import type"; import the class`;
    throw new ConfigError(place, [problem]);
  }
  const callIndex = prepareParams(target, name, isChecked);
  if (known.length === 0) {
    descriptor.value = noted(descriptor.value as Method, callIndex);
    classesWithHandlers.add(target.constructor as never);
    // So that enhancers of the application which are made for each request are made for this class, too.
    Reflect.defineMetadata(ENTRY_PROVIDER_WATERMARK, true, target.constructor);
  }
  Reflect.defineMetadata(DEFINITIONS, definitions, descriptor.value as object);
}

/** The compiler is not always asked, and modules that import each other find nothing where a contract should be. */
function problemsOf(definition: HandlerDefinition): string[] {
  if (definition.kind === 'task') {
    const isType = isTaskType(definition.type);
    return isType ? [] : [`its type must be a string of 1 to 255 bytes, or what defineTask gave; ${NO_CONTRACT}`];
  }
  const isKey = isShortString(definition.pattern);
  return isKey ? [] : [`its pattern must be a string of at most 255 bytes, or what defineEvent gave; ${NO_CONTRACT}`];
}

/** Those of the method itself, by Nest's keys. */
function paramsOf(target: object, name: string): [string, ParamMetadata][] {
  const { constructor } = target;
  const has = () =>
    (Reflect.getMetadata(PARAM_ARGS_METADATA, constructor, name) ?? {}) as Record<string, ParamMetadata>;
  // As with every handler of Nest's microservices.
  if (Object.keys(has()).length === 0) Payload()(target, name, 0);
  // Those of a method that this one overrides, or of another decorator, are prepared already.
  return Object.entries(has()).filter(([key]) => !key.startsWith(`${CALL_PARAM}:`));
}

const isPayload = (key: string) => key.startsWith(`${RpcParamtype.PAYLOAD}:`);

/** Whether a payload has the type by which compilers stand for a class that is imported as a type only. */
function isTypeOnly(target: object, name: string): boolean {
  const types = (Reflect.getMetadata('design:paramtypes', target, name) ?? []) as unknown[];
  return paramsOf(target, name).some(([key, { index }]) => isPayload(key) && types[index] === Function);
}

/** Returns the index of the parameter behind all others. */
function prepareParams(target: object, name: string, isChecked: boolean): number {
  const { constructor } = target;
  const params = paramsOf(target, name);
  const prepared = params.map(([key, param]): [string, ParamMetadata] => {
    const pipes = param.pipes.filter((pipe) => !(pipe instanceof PayloadPipe));
    return [key, { ...param, pipes: isPayload(key) && isChecked ? [new PayloadPipe(), ...pipes] : pipes }];
  });
  const index = Math.max(...params.map(([, param]) => param.index)) + 1;
  const call = { index, data: undefined, pipes: [] };
  Reflect.defineMetadata(
    PARAM_ARGS_METADATA,
    { ...Object.fromEntries(prepared), [`${CALL_PARAM}:${index}`]: call },
    constructor,
    name,
  );
  return index;
}

/** Gives parameters their values; Nest asks for them when the pipes begin. */
export class HandlerParams extends RpcParamsFactory {
  override exchangeKeyForValue(type: number, data: unknown, args: unknown[]): unknown {
    const [, context] = args;
    if (type !== CALL_PARAM) return super.exchangeKeyForValue(type, data as string | undefined, args);
    const call = (context as HandlerContext<object>)[CALL];
    call?.pipesBegin();
    return call;
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Lets the call know that its handler has begun, and how it failed. */
function noted(method: Method, callIndex: number): Method {
  const handler = function (this: unknown, ...args: unknown[]): unknown {
    const call = args[callIndex];
    // Called by somebody else, such as a test, or a method that overrides it.
    if (!(call instanceof HandlerCall)) return method.apply(this, args);
    call.handlerBegins();
    const beganAtMs = performance.now();
    try {
      const result = method.apply(this, args.slice(0, callIndex));
      call.handlerPaused(performance.now() - beganAtMs);
      return watched(result, call);
    } catch (error) {
      call.failed(error);
      throw error;
    }
  };
  Object.defineProperty(handler, 'name', { value: method.name });
  for (const key of Reflect.getMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), handler);
  }
  return handler;
}

/** The same answer, of which the call knows how it fails: also as a Promise of another realm or library, or as an Observable that one brings. */
function watched(answer: unknown, call: HandlerCall): unknown {
  if (isObservable(answer)) {
    return answer.pipe(catchError((error: unknown) => (call.failed(error), throwError(() => error))));
  }
  if (typeof (answer as Partial<PromiseLike<unknown>> | null | undefined)?.then !== 'function') return answer;
  return Promise.resolve(answer).then(
    (value) => watched(value, call),
    (error: unknown) => {
      call.failed(error);
      throw error;
    },
  );
}
