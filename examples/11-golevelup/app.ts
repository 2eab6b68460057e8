import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { AmqpConnectionManager, RabbitMQModule, RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { WorkerClient, type JsonObject } from '@mercury/messaging';
import { golevelupConnections } from '@mercury/messaging/golevelup';
import { MessagingModule, TaskContext, TaskHandler } from '@mercury/messaging/nest';
import { rabbitUrl as uri, untilCtrlC } from '../lesson';

/** As such an application has it already: golevelup's subscriber hears what happens in the shop. */
@Injectable()
class Orders {
  constructor(private readonly tasks: WorkerClient) {}

  @RabbitSubscribe({ exchange: 'shop', routingKey: 'order.*', queue: 'invoicing', connection: 'consuming' })
  async ordered(order: JsonObject): Promise<void> {
    // golevelup acknowledges the event when this resolves: by then the task is on the broker's disk.
    const id = await this.tasks.put(order, { type: 'invoice' });
    console.log(`Heard ${JSON.stringify(order)}, put task ${id}`);
  }
}

/** The work itself is a task of Mercury: with retries, a capacity, dead letters. */
@Controller()
class Invoices {
  @TaskHandler('invoice')
  async write(@Payload() order: JsonObject, @Ctx() { task }: TaskContext): Promise<void> {
    await pause(500);
    if (task.attempt === 1) throw new Error('The printer is out of paper');
    console.log(`Invoice for ${JSON.stringify(order)}, task ${task.id}, attempt ${task.attempt}`);
  }
}

/** Two connections: while the broker has an alarm it stops reading from the one that publishes, and acks must not wait there. */
@Module({
  imports: [
    RabbitMQModule.forRoot({ name: 'publishing', uri }),
    RabbitMQModule.forRoot({ name: 'consuming', uri, exchanges: [{ name: 'shop', type: 'topic' }] }),
  ],
  exports: [RabbitMQModule],
})
class RabbitModule {}

@Module({
  imports: [
    RabbitModule,
    MessagingModule.forRootAsync({
      imports: [RabbitModule],
      inject: [AmqpConnectionManager],
      useFactory: (amqp: AmqpConnectionManager) => ({
        queueName: 'invoices',
        connections: golevelupConnections({
          publishing: amqp.getConnection('publishing')!,
          consuming: amqp.getConnection('consuming')!,
        }),
      }),
    }),
  ],
  controllers: [Invoices],
  providers: [Orders],
})
class AppModule {}

/** Hears events by golevelup and runs tasks by Mercury, all on the two connections of golevelup. */
export default async function app(): Promise<void> {
  const application = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
  console.log('Waiting for orders. To exit press Ctrl-C');
  await untilCtrlC();
  await application.close();
}
