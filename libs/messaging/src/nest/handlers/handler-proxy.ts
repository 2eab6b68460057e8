import { ContextIdFactory, type ContextId, type ExternalContextCreator } from '@nestjs/core';
import { HandlerMetadataStorage } from '@nestjs/core/helpers/handler-metadata-storage';
import { Injector } from '@nestjs/core/injector/injector';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper';
import type { Module } from '@nestjs/core/injector/module';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants';
import { isObservable, lastValueFrom } from 'rxjs';
import { HandlerCall, type Thrown } from './handler-call';
import { HandlerParams } from './handler-definition';
import { CALL, type HandlerContext } from './handler.context';
import { whileFiltered } from './task-errors.filter';

/** A method of the application that is a handler, and where Nest keeps the one that has it. */
export interface HandlerMethod {
  readonly name: string;
  readonly wrapper: InstanceWrapper<object>;
  readonly host: Module;
}

/** A method with its guards, interceptors and pipes around it, and its filters. Both take a payload and its context. */
interface Proxy {
  handle(payload: unknown, context: HandlerContext<object>): Promise<unknown>;
  /** Throws the reason of the context's call, and does with it what the filters do. */
  filter(payload: unknown, context: HandlerContext<object>): Promise<unknown>;
}

const PARAMS = new HandlerParams();
const RPC = 'rpc';

/** Calls a method as Nest calls the handlers of its microservices: with guards, interceptors, pipes and filters, in the scope of its class. */
export class HandlerProxy {
  private readonly creator: ExternalContextCreator;
  private readonly proxy: Proxy | undefined;
  private readonly injector = new Injector();

  constructor(
    creator: ExternalContextCreator,
    private readonly method: HandlerMethod,
    /** What exception filters made of a failure, where it is neither the failure nor a decision. */
    private readonly onFiltered: (filtered: Error, reason: unknown) => void,
  ) {
    const { wrapper, host, name } = method;
    // By itself it finds the modules of providers, and not those of controllers: their enhancers would be passed over.
    const key = { value: () => host.token };
    const getParamValue: ExternalContextCreator['getParamValue'] = (value, argument, pipes) =>
      // A pipe for everything, such as one that copies what it cleans, is not meant for this.
      value instanceof HandlerCall ? Promise.resolve(value) : creator.getParamValue(value, argument, pipes);
    this.creator = Object.create(creator, {
      getContextModuleKey: key,
      getHostModuleKey: key,
      getParamValue: { value: getParamValue },
      // What Nest knows of parameters it keeps by the names of class and method, which others may have, too.
      handlerMetadataStorage: { value: new HandlerMetadataStorage() },
    }) as ExternalContextCreator;
    if (wrapper.isDependencyTreeStatic()) this.proxy = this.proxyOf(wrapper.instance, name);
  }

  /** Resolves when the method has succeeded. Rejects with why the attempt has failed, whatever an enhancer made of it. */
  async call(payload: unknown, context: HandlerContext<object>, call: HandlerCall): Promise<void> {
    context[CALL] = call;
    let proxy = this.proxy;
    try {
      proxy ??= await this.proxyFor(payload, context);
      await proxy.handle(payload, context);
    } catch (error) {
      if (!isOfNothing(error, call)) call.failed(error);
    }
    const { reason } = call;
    if (!reason) return;
    const filtered = proxy && (await this.filteredBy(proxy, payload, context, reason));
    const failure = call.failure(filtered) ?? reason;
    if (filtered?.error instanceof Error) this.onFiltered(filtered.error, failure.error);
    throw failure.error;
  }

  private async filteredBy(
    proxy: Proxy,
    payload: unknown,
    context: HandlerContext<object>,
    { error }: Thrown,
  ): Promise<Thrown | undefined> {
    try {
      const answer = await whileFiltered(error, () => proxy.filter(payload, context));
      if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
      return undefined;
    } catch (filtered) {
      return { error: filtered };
    }
  }

  /** @param contextId of one task, where the class or what it needs is made for each. */
  private proxyOf(instance: object, name: string, contextId?: ContextId): Proxy {
    const { creator } = this;
    const inquirerId = contextId && this.method.wrapper.id;
    const method = (instance as Record<string, Method>)[name] as Method;
    const rethrow = withMetadataOf(method, (_payload, context) => {
      throw (context as HandlerContext<object>)[CALL]?.reason?.error;
    });
    const parts = { guards: true, interceptors: true, filters: false };
    const filters = { guards: false, interceptors: false, filters: true };
    return {
      handle: creator.create(instance, method, name, PARAM_ARGS_METADATA, PARAMS, contextId, inquirerId, parts, RPC),
      // Under a name that no method has: what is known of the parameters is kept by names.
      filter: creator.create(instance, rethrow, `${name} filters`, '', PARAMS, contextId, inquirerId, filters, RPC),
    };
  }

  private async proxyFor(payload: unknown, context: HandlerContext<object>): Promise<Proxy> {
    const { wrapper, host, name } = this.method;
    const request = new HandlerRequest(payload, context);
    const contextId = ContextIdFactory.getByRequest(request);
    if (request[REQUEST_CONTEXT_ID] === undefined) {
      Object.defineProperty(request, REQUEST_CONTEXT_ID, { value: contextId });
      const { payload: durable } = contextId;
      const provided: unknown = wrapper.isDependencyTreeDurable() ? durable : Object.assign(request, durable);
      this.creator.registerRequestProvider(provided, contextId);
    }
    const collection = host.controllers.has(wrapper.token) ? host.controllers : host.providers;
    const instance = await this.injector.loadPerContext(wrapper.instance, host, collection as never, contextId);
    return this.proxyOf(instance, name, contextId);
  }
}

type Method = (...args: unknown[]) => unknown;

/** What `REQUEST` is in a class that is made for each task, as with Nest's microservices. */
class HandlerRequest {
  declare readonly [REQUEST_CONTEXT_ID]?: ContextId;

  constructor(
    readonly data: unknown,
    readonly context: HandlerContext<object>,
  ) {}

  get pattern(): string {
    return this.context.pattern;
  }

  getData(): unknown {
    return this.data;
  }

  getPattern(): string {
    return this.pattern;
  }

  getContext(): HandlerContext<object> {
    return this.context;
  }
}

function withMetadataOf(method: Method, other: Method): Method {
  for (const key of Reflect.getMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), other);
  }
  return other;
}

/** RxJS's complaint of an Observable without a value, such as one that an interceptor has emptied: that is no failure. */
function isOfNothing(error: unknown, call: HandlerCall): boolean {
  return error instanceof Error && error.name === 'EmptyError' && call.isInHandler && !call.reason;
}
