import 'reflect-metadata';
import {
  BadRequestException,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import { catchError, of, throwError } from 'rxjs';
import { defineTask } from '../../tasks/contract';
import type { SettledAttempt } from '../../tasks/events';
import { MemoryBroker } from '../../testing';
import { MessagingModule } from '../messaging.module';
import { HandlerWorker } from '../queues/handler-worker';
import { WorkerClient } from '../../tasks/worker-client';
import { TaskContext } from './task.context';
import { TaskHandler } from './task-handler.decorator';

let seen: unknown[];
let undo: (() => Promise<void>)[];

beforeEach(() => {
  seen = [];
  undo = [];
});
afterEach(async () => {
  for (const each of undo.reverse()) await each();
});

/** Starts an application with these providers. What is returned puts a task, and resolves to how its attempt ended. */
async function started(...providers: (Type | { provide: string; useValue: unknown })[]) {
  const connections = new MemoryBroker().connect();
  const imports = [MessagingModule.forRoot({ connections, logs: false })];
  const app = await Test.createTestingModule({ imports, providers }).compile();
  undo.push(() => app.close());
  await app.init();
  const { events } = app.get(HandlerWorker);
  return async (type: string, body: object = {}) => {
    const settled = new Promise<SettledAttempt>((resolve) => events.once('settled', resolve));
    await app.get(WorkerClient).put(body, { type });
    return (await settled).outcome;
  };
}

const failed = (message: string) => ({ kind: 'retry', failure: { code: 'HANDLER_FAILED', message } });

/** An interceptor that answers every failure with a value. */
const Forgiving = UseInterceptors({
  intercept: (_context: ExecutionContext, next: CallHandler) => next.handle().pipe(catchError(() => of('forgiven'))),
});

class Order {
  @IsInt()
  orderId!: number;
}

class Mail {
  @IsString()
  to!: string;
}

/** Two modules may well have a class of one name. */
function handlersOfOrders() {
  @Injectable()
  class Handlers {
    @TaskHandler('order')
    run(@Ctx() { task }: TaskContext, @Payload() order: Order): void {
      seen.push(task.type, order);
    }
  }
  return Handlers;
}

function handlersOfMails() {
  @Injectable()
  class Handlers {
    @TaskHandler('mail')
    run(@Payload() mail: Mail): void {
      seen.push(mail);
    }
  }
  return Handlers;
}

it('gives each of two classes of one name what its own method asks for', async () => {
  const outcomeOf = await started(handlersOfOrders(), handlersOfMails());
  expect(await outcomeOf('order', { orderId: 1 })).toEqual({ kind: 'success' });
  expect(await outcomeOf('mail', { to: 'Ada' })).toEqual({ kind: 'success' });
  expect(seen).toEqual(['order', { orderId: 1 }, { to: 'Ada' }]);
  expect(seen.slice(1).map((payload) => (payload as object).constructor)).toEqual([Order, Mail]);
});

it('knows how the method has failed where a global pipe copies whatever comes', async () => {
  @Injectable()
  class Copied {
    @TaskHandler('forgiven')
    @Forgiving
    forgiven(): void {
      throw new Error('database is down');
    }

    @TaskHandler('upstream')
    upstream(): void {
      throw new BadRequestException('the card service said 400');
    }
  }
  const copy = (value: unknown) => (typeof value === 'object' ? { ...value } : value);
  const outcomeOf = await started(Copied, { provide: APP_PIPE, useValue: { transform: copy } });
  expect(await outcomeOf('forgiven')).toMatchObject(failed('Error: database is down'));
  expect(await outcomeOf('upstream')).toMatchObject({ kind: 'retry' });
});

it('knows that the method has failed however it answers, also where an interceptor forgives', async () => {
  @Injectable()
  class Answers {
    @TaskHandler('thenable')
    @Forgiving
    thenable(): PromiseLike<void> {
      const failure = Promise.reject<void>(new Error('no such table'));
      return { then: (done, fail) => failure.then(done, fail) };
    }

    @TaskHandler('promised')
    @Forgiving
    async promised() {
      return throwError(() => new Error('the stream broke'));
    }
  }
  const outcomeOf = await started(Answers);
  expect(await outcomeOf('thenable')).toMatchObject(failed('Error: no such table'));
  expect(await outcomeOf('promised')).toMatchObject(failed('Error: the stream broke'));
});

it('leaves it to a method what it makes of the failure of the one that it overrides', async () => {
  class Base {
    @TaskHandler('overridden')
    async run(@Payload() _payload: object, _context?: unknown): Promise<void> {
      throw new Error('the old way is closed');
    }
  }
  @Injectable()
  class Careful extends Base {
    @TaskHandler('overridden')
    override async run(@Payload() payload: object, @Ctx() context: TaskContext): Promise<void> {
      await super.run(payload, context).catch(() => seen.push('another way'));
    }
  }
  const outcomeOf = await started(Careful);
  expect(await outcomeOf('overridden')).toEqual({ kind: 'success' });
  expect(seen).toEqual(['another way']);
});

it('checks a payload by the class of the parameter where only another decorator of the method has a contract', async () => {
  const Paid = defineTask('order.paid', { queue: 'tasks', payload: Order });
  @Injectable()
  class Stacked {
    @TaskHandler('order.legacy')
    @TaskHandler(Paid)
    run(@Payload() order: Order): void {
      seen.push(order);
    }
  }
  const outcomeOf = await started(Stacked);
  expect(await outcomeOf('order.legacy', { orderId: 'x' })).toMatchObject({ kind: 'dead' });
  expect(await outcomeOf('order.legacy', { orderId: 1 })).toEqual({ kind: 'success' });
  expect(await outcomeOf('order.paid', { orderId: 2 })).toEqual({ kind: 'success' });
  expect(seen).toEqual([{ orderId: 1 }, { orderId: 2 }]);
  expect(seen.every((order) => order instanceof Order)).toBe(true);
});
