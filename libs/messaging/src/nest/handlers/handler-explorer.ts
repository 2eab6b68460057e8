import { Injectable } from '@nestjs/common';
import { CONTROLLER_WATERMARK, INJECTABLE_WATERMARK } from '@nestjs/common/constants';
import { ExternalContextCreator, MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper';
import type { Module } from '@nestjs/core/injector/module';
import { ConfigError } from '../../errors';
import { classesWithHandlers, definitionsOf, type HandlerDefinition } from './handler-definition';
import { HandlerProxy } from './handler-proxy';

/** A handler that was found, ready to be called. */
export interface FoundHandler {
  readonly definition: HandlerDefinition;
  /** Decorator, class and method, for people. */
  readonly place: string;
  readonly proxy: (onFiltered: (filtered: Error, reason: unknown) => void) => HandlerProxy;
}

type Prototype = Record<string, unknown>;

/** What is in a module of any application of this process. */
const placed = new WeakSet<object>();

/** Finds the handlers of an application: the decorated methods of its providers and controllers. */
@Injectable()
export class HandlerExplorer {
  private readonly scanner = new MetadataScanner();
  private readonly overrides = new Set<string>();

  constructor(
    private readonly modules: ModulesContainer,
    private readonly creator: ExternalContextCreator,
  ) {}

  /** @throws ConfigError `CONFIG_INVALID` for a handler in a guard, pipe, interceptor or filter, or in a transient class: nobody would call it. */
  explore(): FoundHandler[] {
    const found: FoundHandler[] = [];
    const seen = new Set<object>();
    for (const host of this.modules.values()) {
      for (const wrapper of host.injectables.values()) this.refuseEnhancer(wrapper);
      for (const wrapper of [...host.providers.values(), ...host.controllers.values()]) {
        // One instance under several names has its handlers once.
        if (wrapper.isAlias || (wrapper.instance && seen.has(wrapper.instance))) continue;
        if (wrapper.instance) seen.add(wrapper.instance);
        found.push(...this.handlersOf(wrapper as InstanceWrapper<object>, host));
      }
    }
    return found;
  }

  /**
   * Handlers that are loaded and in no module: nobody calls them here. Those of classes that Nest may make may belong to another program, or
   * to the rest of an application that is tested in parts; those of other classes belong nowhere.
   */
  strangers(): { place: string; mayBeElsewhere: boolean }[] {
    return [...classesWithHandlers]
      .filter((type) => !placed.has(type.prototype as object))
      .flatMap((type) => {
        const mayBeElsewhere = [INJECTABLE_WATERMARK, CONTROLLER_WATERMARK].some((mark) =>
          Reflect.hasMetadata(mark, type),
        );
        const handlers = [...this.definedIn(type.prototype as Prototype, type.name)];
        return handlers.map(({ place }) => ({ place, mayBeElsewhere }));
      });
  }

  /** Handlers of this application that a class which extends theirs has overridden without a decorator. */
  overridden(): string[] {
    return [...this.overrides];
  }

  private *handlersOf(wrapper: InstanceWrapper<object>, host: Module): Generator<FoundHandler> {
    const prototype = prototypeOf(wrapper);
    if (!prototype) return;
    for (let at: object | null = prototype; at; at = Object.getPrototypeOf(at) as object | null) {
      placed.add(at);
      for (const { name, place } of this.definedIn(at as Prototype, at.constructor.name)) {
        const isHere = definitionsOf(prototype[name] as object).length > 0;
        if (!isHere && Object.hasOwn(at, name)) this.overrides.add(`${place} by ${prototype.constructor.name}`);
      }
    }
    for (const { definition, name, place } of this.definedIn(prototype, prototype.constructor.name)) {
      if (wrapper.isTransient) {
        const problem = 'its class is transient: made for each who injects it, and for no task; make it request-scoped';
        throw new ConfigError(place, [problem]);
      }
      const proxy: FoundHandler['proxy'] = (onFiltered) =>
        new HandlerProxy(this.creator, { name, wrapper, host }, onFiltered);
      yield { definition, place, proxy };
    }
  }

  private *definedIn(
    prototype: Prototype,
    owner: string,
  ): Generator<{ definition: HandlerDefinition; name: string; place: string }> {
    for (const name of this.scanner.getAllMethodNames(prototype)) {
      for (const definition of definitionsOf(prototype[name] as object)) {
        yield { definition, name, place: `${definition.decorator} of ${owner}.${name}` };
      }
    }
  }

  private refuseEnhancer(wrapper: InstanceWrapper): void {
    const prototype = prototypeOf(wrapper);
    if (!prototype) return;
    const [handler] = this.definedIn(prototype, prototype.constructor.name);
    if (!handler) return;
    throw new ConfigError(handler.place, ['its class is a guard, pipe, interceptor or filter: make it a provider']);
  }
}

function prototypeOf({ instance, metatype }: InstanceWrapper): Prototype | undefined {
  const made =
    typeof instance === 'object' && instance !== null ? (Object.getPrototypeOf(instance) as Prototype | null) : null;
  const declared = (metatype as { prototype?: Prototype } | null)?.prototype;
  const prototype = made ?? declared;
  // A value may be made by Object.create(null), or of such.
  return prototype && 'constructor' in prototype ? prototype : undefined;
}
