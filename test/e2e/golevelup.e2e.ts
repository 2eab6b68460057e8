import 'reflect-metadata';
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AmqpConnectionManager, RabbitMQModule, RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { WorkerClient } from '@mercury/messaging';
import { golevelupConnections } from '@mercury/messaging/golevelup';
import { MessagingConnections, MessagingModule, TaskHandler } from '@mercury/messaging/nest';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { Collector } from '../support/until';

const queueName = uniqueName('golevelup');
const exchange = uniqueName('shop');
const uri = rabbitUrl();

const heard = new Collector<unknown>();
const ran = new Collector<unknown>();

@Injectable()
class Subscriber {
  @RabbitSubscribe({
    exchange,
    routingKey: 'ordered',
    queue: '',
    queueOptions: { exclusive: true },
    connection: 'consuming',
  })
  ordered(message: object): void {
    heard.push(message);
  }
}

@Controller()
class Reports {
  @TaskHandler('report')
  render(@Payload() report: object): void {
    ran.push(report);
    if (ran.values.length === 1) throw new Error('again');
  }
}

@Module({
  imports: [
    RabbitMQModule.forRoot({ name: 'publishing', uri }),
    RabbitMQModule.forRoot({ name: 'consuming', uri, exchanges: [{ name: exchange, type: 'topic' }] }),
  ],
  exports: [RabbitMQModule],
})
class RabbitModule {}

/** An application in which golevelup's subscribers and Mercury's handlers have the same two connections. */
@Module({
  imports: [
    RabbitModule,
    MessagingModule.forRootAsync({
      imports: [RabbitModule],
      inject: [AmqpConnectionManager],
      useFactory: (amqp: AmqpConnectionManager) => ({
        queueName,
        retryDelaysMs: [100],
        connections: golevelupConnections({
          publishing: amqp.getConnection('publishing')!,
          consuming: amqp.getConnection('consuming')!,
        }),
      }),
    }),
  ],
  controllers: [Reports],
  providers: [Subscriber],
})
class AppModule {}

let app: NestFastifyApplication;

beforeAll(async () => {
  app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), { logger: false });
  await app.init();
});

afterAll(async () => {
  await app.close();
  const rabbit = await Rabbit.connect();
  await rabbit.use((channel) => channel.deleteExchange(exchange));
  await rabbit.deleteQueues(queueName, [100]);
  await rabbit.close();
});

it('golevelup and Mercury work side by side on the connections of the application', async () => {
  const amqp = app.get(AmqpConnectionManager);
  await app.get(WorkerClient).put({ month: 11 }, { type: 'report' });
  await amqp.getConnection('publishing')?.publish(exchange, 'ordered', { order: 4711 });
  expect(await ran.atLeast(2)).toEqual([{ month: 11 }, { month: 11 }]);
  expect(await heard.atLeast(1)).toEqual([{ order: 4711 }]);
  const { publishing, consuming } = app.get(MessagingConnections);
  expect([publishing.connected, consuming.connected]).toEqual([true, true]);
});

it('what Mercury closes stays open: it is the application’s', async () => {
  const amqp = app.get(AmqpConnectionManager);
  await app.get(MessagingConnections).close();
  await amqp.getConnection('publishing')?.publish(exchange, 'ordered', { order: 4712 });
  expect((await heard.atLeast(2))[1]).toEqual({ order: 4712 });
});
