import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { built } from '../built';
import { Order } from './order';
import type { OnTask, Peer, Target } from './peer';

const { WorkerClient } = built.messaging();
const { HandlerWorker, MessagingModule, TaskHandler } = built.messagingInNest();

let tell: OnTask = () => undefined;

@Controller()
class OrderHandler {
  @TaskHandler('order.paid')
  async handle(@Payload() order: Order): Promise<void> {
    tell(() => order);
  }
}

export const peer: Peer = {
  async openSender(target) {
    const app = await NestFactory.createApplicationContext(moduleWith(target, 1), { logger: ['error', 'warn'] });
    const client = app.get(WorkerClient);
    return {
      send: (body, done) => void client.put(body).then(() => done(), done),
      close: () => app.close(),
    };
  },

  async openReceiver(target, capacity, onTask) {
    tell = onTask;
    const app = await NestFactory.create(moduleWith(target, capacity), new FastifyAdapter(), {
      logger: ['error', 'warn'],
    });
    const ready = new Promise<void>((resolve) => app.get(HandlerWorker).events.once('ready', resolve));
    await app.init();
    await ready;
    return { close: () => app.close() };
  },
};

function moduleWith({ rabbitUrl, queueName }: Target, capacity: number) {
  @Module({
    imports: [MessagingModule.forRoot({ rabbitUrl, queueName, capacity })],
    controllers: [OrderHandler],
  })
  class OrderModule {}
  return OrderModule;
}
