import 'reflect-metadata';
import { Controller, Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  Ctx,
  EventPattern,
  Payload,
  RmqContext,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import type { Channel, Message } from 'amqplib';
import { lastValueFrom } from 'rxjs';
import { Order } from './order';
import type { OnTask, Peer } from './peer';

/** The handler is found by Nest, so what it tells is set beside it. */
let tell: OnTask = () => undefined;

@Controller()
class OrderHandler {
  @EventPattern('order.paid')
  async handle(@Payload() order: Order, @Ctx() context: RmqContext): Promise<void> {
    tell(() => order);
    const channel = context.getChannelRef() as Channel;
    channel.ack(context.getMessage() as unknown as Message);
  }
}

@Module({ controllers: [OrderHandler] })
class OrderModule {}

export const peer: Peer = {
  async openSender({ rabbitUrl, queueName }) {
    const options = { urls: [rabbitUrl], queue: queueName, noAssert: true, persistent: true };
    const client = ClientProxyFactory.create({ transport: Transport.RMQ, options });
    await client.connect();
    const put = (body: object) => lastValueFrom(client.emit('order.paid', body), { defaultValue: undefined });
    return {
      send: (body, done) => void put(body).then(() => done(), done),
      close: async () => {
        await client.close();
      },
    };
  },

  async openReceiver({ rabbitUrl, queueName }, capacity, onTask) {
    tell = onTask;
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(OrderModule, {
      logger: ['error', 'warn'],
      transport: Transport.RMQ,
      options: { urls: [rabbitUrl], queue: queueName, noAssert: true, noAck: false, prefetchCount: capacity },
    });
    app.useGlobalPipes(new ValidationPipe({ transform: true }));
    await app.listen();
    return { close: () => app.close() };
  },
};
