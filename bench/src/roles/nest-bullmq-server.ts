import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Queue } from 'bullmq';
import { Type } from 'class-transformer';
import { Equals, IsObject, IsString, IsUrl, Length, ValidateNested } from 'class-validator';
import type { Target } from '../peers/peer';
import { play } from './child';

class Webhook {
  @IsUrl() url!: string;
  @Length(1, 255) event!: string;
  @IsObject() data!: object;
}

class TaskRequest {
  @IsString() @Equals('webhook.deliver') type!: string;
  @ValidateNested() @Type(() => Webhook) payload!: Webhook;
}

@Controller('v1/tasks')
class TasksController {
  constructor(private readonly queue: Queue) {}

  @Post()
  @HttpCode(202)
  async put(@Body() { type, payload }: TaskRequest) {
    const job = await this.queue.add(type, payload, { removeOnComplete: true });
    return { id: job.id, type, queue: this.queue.name, state: 'queued' };
  }
}

/** What a Nest application with BullMQ does: what @nestjs/bullmq injects is such a Queue. */
play<Target, void>(async ({ redisUrl, queueName }, bench) => {
  const queue = new Queue(queueName, { connection: { url: redisUrl } });

  @Module({ controllers: [TasksController], providers: [{ provide: Queue, useValue: queue }] })
  class TasksModule {}

  const app = await NestFactory.create<NestFastifyApplication>(TasksModule, new FastifyAdapter(), {
    logger: ['error', 'warn'],
  });
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  await app.listen(0, '127.0.0.1');
  bench.ready(await app.getUrl());
  await bench.until('stop');
});
