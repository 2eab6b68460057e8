import { EventBus, type DurableEvent } from '@mercury/messaging';
import type { Scene } from './scene';
import { letPass, until } from './wait';

const BUS = 'shop';
const EVERY_MS = 10;
const PUBLISHED_AT_ONCE = 2;
const CAUGHT_UP_MS = 30_000;

/** Events for a durable subscription, beside the load of a fault: what was confirmed, and what its replicas heard. */
export class Events {
  private readonly confirmed = new Set<number>();
  private readonly heard = new Set<unknown>();
  private refused = 0;
  private isOver = false;
  private readonly publishing: Promise<void>;

  private constructor(private readonly bus: EventBus) {
    this.publishing = this.publish();
  }

  /** Publishes from now on, to a subscription with so many replicas, which fails with one event in twenty at first. */
  static async start(scene: Scene, replicas = 2): Promise<Events> {
    const open = () => {
      const bus = new EventBus({ rabbitUrl: scene.urls, name: BUS }, 'topic');
      bus.events.on('problem', () => undefined);
      scene.defer(() => bus.stop());
      return bus;
    };
    const events = new Events(open());
    const { retryDelaysMs } = scene;
    const bindings = [{ key: 'order.*' }];
    for (let number = 0; number < replicas; number++) {
      const handler = (event: DurableEvent) => events.hear(event);
      await open().subscribe(bindings, handler, { durable: 'billing', retryDelaysMs }).ready;
    }
    return events;
  }

  /** Ends the publishing. Resolves to what was broken, once all that was confirmed was heard or it took too long. */
  async account(): Promise<{ note: string; violations: string[] }> {
    this.isOver = true;
    await this.publishing;
    const missing = () => [...this.confirmed].filter((number) => !this.heard.has(number));
    await until('all events are heard', () => missing().length === 0, CAUGHT_UP_MS).catch(() => undefined);
    const lost = missing().length;
    return {
      note: `${this.confirmed.size} events confirmed, ${this.refused} not, ${this.heard.size} heard`,
      violations: [
        ...(lost > 0 ? [`${lost} confirmed events were not heard by their durable subscription`] : []),
        ...(this.confirmed.size === 0 ? ['no event was confirmed'] : []),
      ],
    };
  }

  private hear({ data, task }: DurableEvent): void {
    if (Number(data['number']) % 20 === 0 && task.attempt === 1) throw new Error('at first');
    this.heard.add(data['number']);
  }

  private async publish(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let number = 0; !this.isOver;) {
      for (const end = number + PUBLISHED_AT_ONCE; number < end; number++) {
        const one = this.one(number).finally(() => underWay.delete(one));
        underWay.add(one);
      }
      await letPass(EVERY_MS);
    }
    await Promise.all(underWay);
  }

  /** Mandatory: before its subscription is there, an event is not confirmed. */
  private async one(number: number): Promise<void> {
    try {
      await this.bus.publish('order.paid', { number }, { mandatory: true });
      this.confirmed.add(number);
    } catch {
      this.refused += 1;
    }
  }
}
