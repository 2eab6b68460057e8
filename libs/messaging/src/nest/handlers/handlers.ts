import { Inject, Injectable, Logger } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import type { DurableSubscription } from '../../bus/durable-subscription';
import type { Subscription } from '../../bus/subscription';
import { patternOf } from '../../bus/bindings';
import { ConfigError, MercuryError, describeError } from '../../errors';
import { payloadOf } from '../../tasks/task';
import { Buses } from '../buses/buses';
import { MESSAGING_OPTIONS, type MessagingModuleOptions } from '../messaging.options';
import { Queues } from '../queues/queues';
import { EventContext, type HandledEvent } from './event.context';
import { HandlerCall } from './handler-call';
import type { EventDefinition, TaskDefinition } from './handler-definition';
import { HandlerExplorer, type FoundHandler } from './handler-explorer';
import { TaskErrorsFilter } from './task-errors.filter';
import { TaskContext } from './task.context';

const IN_NO_MODULE =
  'which is in no module of this application: name its class among the providers or controllers of one';
const MOST_NAMED = 10;

/** Gives the handlers of the application to the workers and schedulers of their queues, and to the buses of their events. */
@Injectable()
export class Handlers {
  private readonly log = new Logger('Messaging');
  /** Each begins a subscription. */
  private readonly beginnings: { place: string; begin: () => Subscription }[] = [];
  private readonly subscriptions: Subscription[] = [];
  private readonly listeners: ((subscription: DurableSubscription, pattern: string) => void)[] = [];
  /** By bus and name, the handlers of durable subscriptions. */
  private readonly durables = new Map<string, string>();
  /** Handlers whose filters were told of. */
  private readonly filtered = new Set<string>();

  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly queues: Queues,
    private readonly buses: Buses,
    @Inject(MESSAGING_OPTIONS) private readonly options: MessagingModuleOptions,
    config: ApplicationConfig,
  ) {
    // The first in the list is the last in line.
    config.getGlobalFilters().unshift(new TaskErrorsFilter());
  }

  /** @throws ConfigError `CONFIG_INVALID` for a handler that could never run. */
  connect(): void {
    for (const handler of this.explorer.explore()) {
      const { definition } = handler;
      if (definition.kind === 'task') this.connectTask(handler, definition);
      else this.connectEvent(handler, definition);
    }
    this.refuseStrangers();
    const overridden = this.explorer.overridden().slice(0, MOST_NAMED);
    if (overridden.length > 0) {
      this.log.warn(`Do not run, being overridden without a decorator: ${overridden.join(', ')}.`);
    }
  }

  /**
   * Begins to hear events. Workers and schedulers are started by who has them.
   * @throws ConfigError `CONFIG_INVALID` for a subscription that cannot be.
   */
  subscribe(): void {
    try {
      for (const { place, begin } of this.beginnings.splice(0)) atPlace(place, () => this.subscriptions.push(begin()));
    } catch (error) {
      // The application does not start, and nobody would end those that have begun.
      void this.unsubscribe();
      throw error;
    }
  }

  /** Ends the subscriptions, and waits for what runs. */
  async unsubscribe(): Promise<void> {
    await Promise.all(this.subscriptions.map((subscription) => subscription.close()));
  }

  /** @param listener is told of each durable subscription when it begins. */
  onDurable(listener: (subscription: DurableSubscription, pattern: string) => void): void {
    this.listeners.push(listener);
  }

  private connectTask(
    { place, proxy }: FoundHandler,
    { type, queue: name, contract, rules, schedule }: TaskDefinition,
  ) {
    const queue = this.queues.of(name, place);
    const { events } = queue.worker;
    const call = proxy((filtered, reason) => this.reportFilter(events, `a "${type}" task`, filtered, reason));
    queue.worker.addHandler(type, place, {
      ...rules,
      run: async (task) => {
        const payload = contract ? await contract.receiveFrom(task) : payloadOf(task);
        return call.call(payload, new TaskContext(task), new HandlerCall(task));
      },
    });
    if (schedule) atPlace(place, () => queue.scheduler.add({ ...schedule, type, body: {} }));
  }

  private connectEvent({ place, proxy }: FoundHandler, { pattern, bus: name, contract, durable }: EventDefinition) {
    const bus = this.buses.of(name, place);
    if (bus.kind === 'direct' && patternOf([{ key: pattern }]) !== undefined) {
      throw new ConfigError(place, [
        `"${pattern}" is a pattern, and "${bus.name}" a direct bus, on which keys must be the same: make it a topic bus`,
      ]);
    }
    if (durable) this.claim(`${bus.name}.${durable.durable}`, place);
    const call = proxy((filtered, reason) => this.reportFilter(bus.events, `a "${pattern}" event`, filtered, reason));
    const handle = async (event: HandledEvent) => {
      const payload = contract ? await contract.receive(event.data) : event.data;
      return call.call(payload, new EventContext(event), new HandlerCall(event.task));
    };
    const bindings = [{ key: pattern }];
    const begin = () => {
      if (!durable) return bus.subscribe(bindings, handle);
      const { logs = true } = this.options;
      const subscription = bus.subscribe(bindings, handle, { logs, ...durable });
      for (const listener of this.listeners) listener(subscription, pattern);
      return subscription;
    };
    this.beginnings.push({ place, begin });
  }

  private refuseStrangers(): void {
    const strangers = this.explorer.strangers();
    const named = (places: { place: string }[]) =>
      places
        .slice(0, MOST_NAMED)
        .map(({ place }) => place)
        .join(', ');
    const nowhere = strangers.filter(({ mayBeElsewhere }) => !mayBeElsewhere);
    if (nowhere.length > 0)
      throw new ConfigError(named(nowhere), [`a handler is a method of a provider or controller, ${IN_NO_MODULE}`]);
    if (strangers.length > 0) this.log.warn(`Do not run here: ${named(strangers)}, ${IN_NO_MODULE}.`);
  }

  private claim(subscription: string, place: string): void {
    if (this.queues.find(subscription)) {
      throw new ConfigError(place, [
        `its durable subscription has the queue "${subscription}", which is registered as a work queue, too`,
      ]);
    }
    const other = this.durables.get(subscription);
    if (other !== undefined) {
      const problem = `two handlers for the durable subscription "${subscription}", which would share its events: ${other} and ${place}`;
      throw new ConfigError('Event handlers', [problem]);
    }
    this.durables.set(subscription, place);
  }

  /** Once for each handler: a filter made for HTTP fails with every task that does. */
  private reportFilter(
    events: { emit(name: 'problem', problem: MercuryError): void },
    what: string,
    filtered: Error,
    reason: unknown,
  ): void {
    const isOfFilter = filtered !== reason && filtered !== (reason as Error | undefined)?.cause;
    if (!isOfFilter || this.filtered.has(what)) return;
    this.filtered.add(what);
    const message =
      `An exception filter answered the failure of ${what} with another error, which changes nothing ` +
      `(${describeError(filtered).message}). Filters may throw DiscardTask, RetryTask or PostponeTask; those for HTTP should pass on what is not of HTTP.`;
    events.emit('problem', new MercuryError('FILTER_FAILED', message, { cause: filtered }));
  }
}

/** What is wrong is said with where. */
function atPlace(place: string, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(place, error.problems);
    throw error instanceof MercuryError
      ? new MercuryError(error.code, `${place}: ${error.message}`, { cause: error })
      : error;
  }
}
