import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Type } from 'class-transformer';
import { Equals, IsObject, IsString, IsUrl, Length, ValidateNested } from 'class-validator';

class Webhook {
  @IsUrl() url!: string;
  @Length(1, 255) event!: string;
  @IsObject() data!: object;
}

class TaskRequest {
  @IsString() @Equals('webhook.deliver') type!: string;
  @ValidateNested() @Type(() => Webhook) payload!: Webhook;
}

/** Stores a task, and resolves to its id. */
export type Put = (type: string, payload: object) => Promise<string | undefined>;

/** A Nest application as its documentation has it, and nothing in it but one route. Resolves to its address. */
export async function serveTasks(queueName: string, put: Put): Promise<string> {
  @Controller('v1/tasks')
  class TasksController {
    @Post()
    @HttpCode(202)
    async put(@Body() { type, payload }: TaskRequest) {
      return { id: await put(type, payload), type, queue: queueName, state: 'queued' };
    }
  }

  @Module({ controllers: [TasksController] })
  class TasksModule {}

  const app = await NestFactory.create<NestFastifyApplication>(TasksModule, new FastifyAdapter(), {
    logger: ['error', 'warn'],
  });
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}
