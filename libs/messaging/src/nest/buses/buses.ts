import { Inject, Injectable } from '@nestjs/common';
import { EventBus, type BusKind } from '../../bus/event-bus';
import { ConfigError } from '../../errors';
import { MessagingConnections } from '../messaging.connections';
import { MESSAGING_OPTIONS, topologyOf, type MessagingModuleOptions } from '../messaging.options';

export interface BusOptions {
  /** The exchange, named exactly so on the broker. */
  name: string;
  /** The exchange's type; every program on the same bus must name the same. Default `topic`. */
  kind?: BusKind;
  /** How long a `publish` may wait for the broker's confirm, in milliseconds. Default 5,000. */
  publishTimeoutMs?: number;
}

export function busToken(name: string): string {
  return `mercury.bus ${name}`;
}

/** Injects the `EventBus` that was registered under this name. */
export function InjectBus(name: string): PropertyDecorator & ParameterDecorator {
  return Inject(busToken(name));
}

/** The event buses of an application. */
@Injectable()
export class Buses {
  private readonly registered = new Map<string, EventBus>();

  constructor(
    @Inject(MESSAGING_OPTIONS) private readonly options: MessagingModuleOptions,
    private readonly connections: MessagingConnections,
  ) {}

  get all(): readonly EventBus[] {
    return [...this.registered.values()];
  }

  /** @throws ConfigError `CONFIG_INVALID`, also for one that is there already. */
  register({ name, kind = 'topic', ...options }: BusOptions): EventBus {
    if (this.registered.has(name)) {
      throw new ConfigError('MessagingModule.registerBus', [`the bus "${name}" is registered twice`]);
    }
    const bus = new EventBus({ ...options, ...topologyOf(this.options), name, connections: this.connections }, kind);
    this.registered.set(name, bus);
    return bus;
  }

  /**
   * The bus of a handler.
   * @param name undefined: the only one that there is.
   * @throws ConfigError `CONFIG_INVALID`, with the buses that there are.
   */
  of(name: string | undefined, place: string): EventBus {
    const names = [...this.registered.keys()];
    const known = names.length === 0 ? 'none is registered' : `registered are ${names.join(', ')}`;
    const [only] = this.all;
    const bus = name === undefined ? names.length === 1 && only : this.registered.get(name);
    if (bus) return bus;
    const problem = name === undefined ? 'which bus is it of? Say { bus: … }' : `there is no bus "${name}"`;
    throw new ConfigError(place, [`${problem}: ${known}`]);
  }
}
