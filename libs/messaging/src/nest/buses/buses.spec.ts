import 'reflect-metadata';
import { Injectable, Logger, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IsInt } from 'class-validator';
import { defineEvent, type EventBus } from '../../index';
import { MemoryBroker } from '../../testing';
import { EventContext, InjectBus, MessagingModule, OnBusEvent, busToken, type MessagingModuleOptions } from '..';
import { HealthModule } from '../health';
import { Metrics, MetricsModule } from '../metrics';

class Order {
  @IsInt()
  orderId!: number;
}

const OrderPaid = defineEvent('order.paid', { bus: 'shop', payload: Order });

let broker: MemoryBroker;
let undo: (() => Promise<void>)[];
let heard: string[];

beforeEach(() => {
  broker = new MemoryBroker();
  undo = [];
  heard = [];
});
afterEach(async () => {
  for (const each of undo.reverse()) await each();
});

async function start(metadata: ModuleMetadata, options: Partial<MessagingModuleOptions> = {}) {
  @Module({
    ...metadata,
    imports: [
      MessagingModule.forRoot({ connections: broker.connect(), retryDelaysMs: [1_000], ...options }),
      MessagingModule.registerBus({ name: 'shop' }),
      HealthModule,
      MetricsModule,
    ],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false, abortOnError: false });
  undo.push(() => app.close());
  await app.init();
  await broker.untilIdle();
  return app;
}

@Injectable()
class Billing {
  constructor(@InjectBus('shop') readonly shop: EventBus) {}

  @OnBusEvent(OrderPaid, { durable: 'billing', maxAttempts: 2 })
  paid(@Payload() order: Order, @Ctx() { event }: EventContext): void {
    heard.push(`${order.constructor.name} ${order.orderId} ${event.key} attempt ${event.task?.attempt}`);
    if (order.orderId === 13) throw new Error('no ledger');
  }
}

@Injectable()
class Screen {
  @OnBusEvent('order.*', { bus: 'shop' })
  show(@Payload() { orderId }: { orderId: number }, @Ctx() { event }: EventContext): void {
    heard.push(`screen ${event.key} ${orderId}`);
  }
}

it('a method hears the events of a contract by a durable subscription, which retries and buries', async () => {
  const app = await start({ providers: [Billing] });
  const shop = app.get<EventBus>(busToken('shop'));
  await shop.publish(OrderPaid, { orderId: 1 });
  await shop.publish('order.paid', { orderId: 13 });
  await broker.advance(1_000);
  await broker.untilIdle();
  expect(heard).toEqual([
    'Order 1 order.paid attempt 1',
    'Order 13 order.paid attempt 1',
    'Order 13 order.paid attempt 2',
  ]);
  expect(broker.messages('shop.billing.dead')).toMatchObject([{ body: { orderId: 13 } }]);
  const metrics = await app.get(Metrics).registry.metrics();
  expect(metrics).toContain('mercury_task_attempts_total{queue="shop.billing",type="order.paid",outcome="dead"} 1');
  expect(metrics).toContain('mercury_events_published_total{bus="shop",outcome="confirmed"} 2');
});

it.each([
  ['is told', {}, 2],
  ['is not told where forRoot says so', { logs: false }, 0],
])('a failure of a durable subscription %s', async (_what, options, told) => {
  const lines = [jest.spyOn(Logger.prototype, 'warn'), jest.spyOn(Logger.prototype, 'error')];
  for (const line of lines) line.mockReturnValue();
  const app = await start({ providers: [Billing] }, options);
  await app.get<EventBus>(busToken('shop')).publish(OrderPaid, { orderId: 13 });
  await broker.advance(1_000);
  await broker.untilIdle();
  const ofTasks = lines
    .flatMap(({ mock }) => mock.calls)
    .filter(([text]) => String(text).startsWith('Task "order.paid"'));
  expect(ofTasks).toHaveLength(told);
  for (const line of lines) line.mockRestore();
});

it('an event that is none of its contract is refused by publish, and buried where it came another way', async () => {
  const app = await start({ providers: [Billing] });
  const shop = app.get<EventBus>(busToken('shop'));
  const wrong = { orderId: 'x' } as unknown as Order;
  await expect(shop.publish(OrderPaid, wrong)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD', pointer: '/orderId' });
  await shop.publish('order.paid', { orderId: 'x' });
  await broker.untilIdle();
  expect(heard).toEqual([]);
  expect(broker.messages('shop.billing.dead')).toMatchObject([{ headers: { 'x-error-code': 'INVALID_PAYLOAD' } }]);
});

it('a method hears what is published while it listens, by a pattern', async () => {
  const app = await start({ providers: [Screen] });
  await app.get<EventBus>(busToken('shop')).publish('order.sent', { orderId: 7 });
  await broker.untilIdle();
  expect(heard).toEqual(['screen order.sent 7']);
});

it('events that are published as soon as the application has started are heard, though nobody waits for its subscriptions', async () => {
  @Module({
    imports: [
      MessagingModule.forRoot({ connections: broker.connect() }),
      MessagingModule.registerBus({ name: 'shop' }),
    ],
    providers: [Billing, Screen],
  })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  undo.push(() => app.close());
  await app.get<EventBus>(busToken('shop')).publish(OrderPaid, { orderId: 1 }, { mandatory: true });
  await broker.untilIdle();
  expect(heard.sort()).toEqual(['Order 1 order.paid attempt 1', 'screen order.paid 1']);
});

it('events that are published while the application is away wait in its durable subscription', async () => {
  const app = await start({ providers: [Billing] });
  await app.close();
  const next = await start({});
  await next.get<EventBus>(busToken('shop')).publish('order.paid', { orderId: 2 });
  expect(broker.messages('shop.billing')).toHaveLength(1);
  await start({ providers: [Billing] });
  expect(heard).toEqual(['Order 2 order.paid attempt 1']);
});

it.each<[string, () => new () => object, RegExp]>([
  [
    'for a bus that is not registered',
    () => {
      class Nowhere {
        @OnBusEvent('x', { bus: 'nowhere' })
        run(): void {}
      }
      return Nowhere;
    },
    /Nowhere\.run: there is no bus "nowhere": registered are shop/,
  ],
  [
    'with a durable name that another has',
    () => {
      class Twice {
        @OnBusEvent('order.sent', { durable: 'billing' })
        run(): void {}
      }
      return Twice;
    },
    /two handlers for the durable subscription "shop\.billing".*Billing\.paid and .*Twice\.run/,
  ],
  [
    'with a durable name that cannot be',
    () => {
      class Dotted {
        @OnBusEvent('order.sent', { durable: 'a.b' })
        run(): void {}
      }
      return Dotted;
    },
    /Dotted\.run: durable must have no dot/,
  ],
])('an application with a handler %s does not start', async (_what, make, message) => {
  await expect(start({ providers: [Billing, make()] })).rejects.toThrow(message);
});

it('an application whose durable subscription has the queue of a work queue does not start', async () => {
  @Module({
    imports: [
      MessagingModule.forRoot({ connections: broker.connect() }),
      MessagingModule.registerBus({ name: 'shop' }),
      MessagingModule.registerQueue({ name: 'shop.billing' }),
    ],
    providers: [Billing],
  })
  class Mixed {}
  const starting = NestFactory.createApplicationContext(Mixed, { logger: false, abortOnError: false });
  await expect(starting).rejects.toThrow(
    /Billing\.paid: its durable subscription has the queue "shop\.billing", which is/,
  );
});
